// Sums over everything but the batch: a log-density per row from one per element.
import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';

/** [batch, ...] -> [batch]. */
export function sumPerRow(x: Tensor): Tensor1D {
  const axes = x.shape.map((_, axis) => axis).slice(1);
  return tf.sum(x, axes);
}
