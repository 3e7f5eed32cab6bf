// Batch normalisation (Ioffe & Szegedy 2015) with a gain and an offset for each channel.
import type { Tensor } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';
import { constant, zeros } from './initialisers.js';
import { inModule } from './module.js';
import { batchMoments, runningMoments } from './running-moments.js';
import type { Initialiser, Scope } from './variable.js';

/**
 * 'train': by the statistics of the batch, which join the running ones. 'batch': the same, but nothing is kept: the step
 * trains another network. 'serve': by the running statistics, so that a row's result does not depend on its batch.
 */
export type NormMode = 'train' | 'batch' | 'serve';

/** Added to the variance, as the authors of DCGAN have it. */
const EPSILON = 1e-5;

export interface BatchNormOptions {
  readonly channels: number;
  /** Decay of the running statistics: see running-moments.ts. */
  readonly decay: number;
  /** 1 when absent. */
  readonly gain?: Initialiser;
}

/** [..., channels] -> the same shape: (x - mean) / sqrt(variance + 1e-5) * gain + offset. */
export function batchNorm(scope: Scope, options: BatchNormOptions): (x: Tensor, mode: NormMode) => Tensor {
  const { channels, decay } = options;
  const gain = scope.parameter('gain', [channels], options.gain ?? constant(1));
  const offset = scope.parameter('offset', [channels], zeros);
  const running = runningMoments(scope, channels, decay);
  return (x, mode) =>
    inModule(scope, () => {
      const moments = mode === 'serve' ? running.read() : batchMoments(x);
      if (mode === 'train') running.add(moments, x.size / channels);
      const scale = tf.div(gain.value, tf.sqrt(tf.add(moments.variance, EPSILON)));
      // Where the moments are constants, a served graph keeps one product and one sum of all this.
      return tf.add(tf.mul(x, scale), tf.sub(offset.value, tf.mul(moments.mean, scale)));
    });
}
