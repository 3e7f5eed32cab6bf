// Dropout (Srivastava et al. 2014), its mask drawn from a noise input.
import type { Tensor } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';

/**
 * Each element of x is 0 where its uniform number is below `rate`, and x / (1 - rate) elsewhere, so that serving leaves it
 * out. `uniform` is of the shape of x, or of one that spreads over it: [batch, 1, 1, channels] drops whole maps.
 */
export function dropout(x: Tensor, uniform: Tensor, rate: number): Tensor {
  if (rate === 0) return x;
  const kept = tf.cast(tf.greaterEqual(uniform, rate), 'float32');
  return tf.mul(x, tf.div(kept, 1 - rate));
}
