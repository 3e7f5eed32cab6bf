// Independent categorical variables over quantisation levels, by their logits.
import type { Tensor } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';

/** log p of each element of x = k / (levels - 1), [...]; logits [..., levels]. */
export function categoricalLogProbMap(logits: Tensor, x: Tensor): Tensor {
  const levels = logits.shape.at(-1)!;
  const level = tf.cast(tf.round(tf.mul(x, levels - 1)), 'int32');
  // oneHot is typed for any dtype; as float it multiplies.
  const chosen = tf.cast(tf.oneHot(level, levels), 'float32');
  return tf.sum(tf.mul(chosen, tf.logSoftmax(logits, -1)), -1);
}

/** E[x], [...]. */
export function categoricalMean(logits: Tensor): Tensor {
  const levels = logits.shape.at(-1)!;
  const values = tf.tensor1d(Array.from({ length: levels }, (_, level) => level / (levels - 1)));
  return tf.sum(tf.mul(tf.softmax(logits, -1), values), -1);
}
