// The squeeze of RealNVP (Dinh et al. 2016, sec. 3.6) and Glow: 2x2 neighbours become channels.
import type { Tensor } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';

/** [batch, height, width, channels] -> [batch, height / 2, width / 2, 4 channels], ordered by (channel, row, column). */
export function squeeze(x: Tensor): Tensor {
  const [, height, width, channels] = x.shape as [number, number, number, number]; // images
  const blocks = tf.reshape(x, [-1, height / 2, 2, width / 2, 2, channels]);
  return tf.reshape(tf.transpose(blocks, [0, 1, 3, 5, 2, 4]), [-1, height / 2, width / 2, 4 * channels]);
}

/** The inverse of `squeeze`. */
export function unsqueeze(y: Tensor): Tensor {
  const [, height, width, channels] = y.shape as [number, number, number, number]; // images
  const blocks = tf.reshape(y, [-1, height, width, channels / 4, 2, 2]);
  return tf.reshape(tf.transpose(blocks, [0, 1, 4, 2, 5, 3]), [-1, 2 * height, 2 * width, channels / 4]);
}
