// The penalty that keeps a critic's gradients at norm 1 (Gulrajani et al. 2017).
import type { Tensor } from '@tensorflow/tfjs';
import type { NoiseSpec } from '../family.js';
import { tf } from '../trace/tensorflow.js';

/** Where on the line between a real and a generated row the gradient is taken: a noise of the critic's step. */
export const INTERPOLATION: NoiseSpec = { name: 'interpolation', distribution: 'uniform', shape: [] };

export interface GradientPenaltyOptions {
  /** Rows [batch, ...shape] -> [batch]. Must treat each row apart: no batch normalisation. */
  readonly critic: (x: Tensor) => Tensor;
  readonly real: Tensor;
  readonly fake: Tensor;
  /** `INTERPOLATION`, [batch]. */
  readonly interpolation: Tensor;
  /** 'one': norms below 1 are not punished (sec. 4, "two-sided penalty", names both). */
  readonly sides: 'one' | 'two';
}

export interface GradientPenalty {
  /** E[(|grad D(x)| - 1)^2], or E[max(0, |grad D(x)| - 1)^2]; eq. 3 without lambda. */
  readonly penalty: Tensor;
  /** E|grad D(x)|, 1 for the best critic. */
  readonly gradientNorm: Tensor;
}

/** At x = real + interpolation (fake - real), row by row. */
export function gradientPenalty({ critic, real, fake, interpolation, sides }: GradientPenaltyOptions): GradientPenalty {
  const share = tf.reshape(interpolation, [-1, ...real.shape.slice(1).map(() => 1)]);
  const between = tf.add(real, tf.mul(share, tf.sub(fake, real)));
  const norm = rowNorms(tf.grad(x => tf.sum(critic(x)))(between));
  const excess = tf.sub(norm, 1);
  const penalty = tf.mean(tf.square(sides === 'one' ? tf.relu(excess) : excess));
  return { penalty, gradientNorm: tf.mean(norm) };
}

/** Euclidean norm of each row, [batch]. The square root has no derivative at 0, where a critic may start. */
function rowNorms(x: Tensor): Tensor {
  const flat = tf.reshape(x, [x.shape[0]!, -1]);
  return tf.sqrt(tf.add(tf.sum(tf.square(flat), 1), 1e-12));
}
