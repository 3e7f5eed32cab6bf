// Training that hides some conditions, so that a datum without one has a likelihood too.
import type { Tensor } from '@tensorflow/tfjs';
import type { NoiseSpec } from '../family.js';
import { tf } from '../trace/tensorflow.js';

export const labelDropout: NoiseSpec = { name: 'label_dropout', distribution: 'uniform', shape: [] };

/** h [batch, n] with zeros, as where there is none, in the rows whose `uniform` number [batch] is below `share`. */
export function hideSome(h: Tensor, uniform: Tensor, share: number): Tensor {
  const shown = tf.greaterEqual(tf.reshape(uniform, [-1, 1]), share);
  return tf.mul(h, tf.cast(shown, 'float32'));
}
