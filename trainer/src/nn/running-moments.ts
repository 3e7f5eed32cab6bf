// Mean and variance of activations: of a batch, and their running average over the steps, which is what is served.
import type { Tensor } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';
import { constant, zeros } from './initialisers.js';
import type { Scope } from './variable.js';

/** One number per channel each: [channels]. */
export interface Moments {
  readonly mean: Tensor;
  readonly variance: Tensor;
}

/** Over all axes of x [..., channels] but the last; the variance divides by the count. */
export function batchMoments(x: Tensor): Moments {
  const axes = x.shape.slice(0, -1).map((_, axis) => axis);
  const mean = tf.mean(x, axes);
  return { mean, variance: tf.mean(tf.square(tf.sub(x, mean)), axes) };
}

export interface RunningMoments {
  /** For serving. */
  read(): Moments;
  /** Takes in the moments of a batch of `count` numbers per channel; the variance is kept unbiased. */
  add(batch: Moments, count: number): void;
}

/**
 * `decay` like that of the parameter average, whose memory grows in the same way, gives, to first order, the statistics
 * that belong to the averaged parameters.
 */
export function runningMoments(scope: Scope, channels: number, decay: number): RunningMoments {
  const mean = scope.statistic('mean', [channels], zeros);
  const variance = scope.statistic('variance', [channels], constant(1));
  /** Batches seen: the memory is a ninth of them until it is as long as the decay makes it. */
  const seen = scope.statistic('count', [1], zeros);
  return {
    read: () => ({ mean: mean.value, variance: variance.value }),
    add(batch, count) {
      const rate = tf.maximum(tf.div(9, tf.add(seen.value, 11)), 1 - decay);
      const unbiased = tf.mul(batch.variance, count / Math.max(1, count - 1));
      mean.assign(tf.add(mean.value, tf.mul(rate, tf.sub(batch.mean, mean.value))));
      variance.assign(tf.add(variance.value, tf.mul(rate, tf.sub(unbiased, variance.value))));
      seen.assign(tf.add(seen.value, 1));
    },
  };
}
