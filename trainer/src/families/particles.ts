// Completion given pixels that come later in the order: p(x_i | x_<i) knows nothing of them, so several completions are
// drawn side by side and, part by part, those that the known pixels speak for survive: a particle filter (Gordon et al.
// 1993) with systematic resampling. Its law tends to the true conditional as particles grow, and is the true
// conditional where no known pixel comes after an unknown one.
import type { Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';

/** [batch, ...] -> [batch * particles, ...], each row repeated. */
export function repeatRows(x: Tensor, particles: number): Tensor {
  const [, ...rest] = x.shape;
  const wide = tf.tile(tf.expandDims(x, 1), [1, particles, ...rest.map(() => 1)]);
  return tf.reshape(wide, [-1, ...rest]);
}

/**
 * For each row the places [batch, particles] of those that go on, as often as their share of the weights says: place j
 * takes the particle in which the running sum of the shares passes (j + u) / particles. Equal weights keep all in place.
 * `logWeights` [batch * particles], `uniform` [batch] in (0, 1).
 */
export function systematicResampling(logWeights: Tensor, uniform: Tensor, particles: number): Tensor2D {
  const places = Array.from({ length: particles }, (_, k) => k);
  const shares = tf.softmax(tf.reshape(logWeights, [-1, particles])) as Tensor2D; // as reshaped
  const upTo = tf.tensor2d(places.map(k => places.map(j => Number(k <= j))));
  const sums = tf.reshape(tf.matMul(shares, upTo), [-1, 1, particles]);
  const offsets = tf.add(tf.reshape(uniform, [-1, 1, 1]), tf.tensor3d(places, [1, particles, 1]));
  const passed = tf.sum(tf.cast(tf.less(sums, tf.div(offsets, particles)), 'int32'), 2);
  // The last sum may be rounded below 1.
  return tf.minimum(passed, tf.scalar(particles - 1, 'int32')) as Tensor2D; // [batch, particles], as reshaped
}

/** The particles [batch * particles, ...] at `places`, int32 [batch, n] -> [batch * n, ...]. */
export function takeParticles(x: Tensor, places: Tensor2D, particles: number): Tensor {
  const [, ...rest] = x.shape;
  const perRow = tf.reshape(x, [-1, particles, ...rest]);
  return tf.reshape(tf.gather(perRow, places, 1, 1), [-1, ...rest]);
}

/** One particle for each row, any as likely as any other: [batch * particles, ...] -> [batch, ...]. */
export function chooseParticle(x: Tensor, uniform: Tensor, particles: number): Tensor {
  const place = tf.cast(tf.floor(tf.mul(uniform as Tensor1D, particles)), 'int32'); // [batch], by the contract above
  return takeParticles(x, tf.reshape(place, [-1, 1]), particles);
}
