// Gradient clipping by the norm over all parameters (Pascanu et al. 2013).
import type { Tensor } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';

/** Euclidean norm of all gradients together; scalar. */
export function globalNorm(gradients: readonly Tensor[]): Tensor {
  return tf.sqrt(tf.addN(gradients.map(gradient => tf.sum(tf.square(gradient)))));
}

/** Gradients scaled so that their global norm is at most `maximum`. */
export function clipByGlobalNorm(gradients: readonly Tensor[], norm: Tensor, maximum: number): Tensor[] {
  const scale = tf.minimum(1, tf.div(maximum, tf.add(norm, 1e-12)));
  return gradients.map(gradient => tf.mul(gradient, scale));
}
