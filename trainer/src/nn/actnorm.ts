// Activation normalisation (Kingma & Dhariwal 2018, sec. 3.1): an offset and a scale for each channel, set by the first batch
// so that its activations have mean 0 and variance 1, and trained like any other parameter from then on.
import type { Tensor } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';
import { exp } from './activations.js';
import { zeros } from './initialisers.js';
import type { Scope } from './variable.js';

/** Scales are exp(3 s): the paper's code learns them three times as fast as other parameters. */
export const LOG_SCALE_FACTOR = 3;
const EPSILON = 1e-6;

/** y = (x + bias) exp(3 log_scale). It is given apart from what comes before or after, which it can be a part of. */
export interface Actnorm {
  readonly channels: number;
  bias(): Tensor;
  /** exp(3 log_scale), [channels] */
  scale(): Tensor;
  /** log of the product of the scales: log|det| for one pixel. */
  logDeterminant(): Tensor;
  /** Sets both so that y has mean 0 and variance 1 for each channel of x [..., channels]. */
  initialise(x: Tensor): void;
}

export function actnorm(scope: Scope, channels: number): Actnorm {
  const bias = scope.parameter('bias', [channels], zeros);
  const logScale = scope.parameter('log_scale', [channels], zeros);
  return {
    channels,
    bias: () => bias.value,
    scale: () => exp(tf.mul(LOG_SCALE_FACTOR, logScale.value)),
    logDeterminant: () => tf.mul(LOG_SCALE_FACTOR, tf.sum(logScale.value)),
    initialise(x) {
      const axes = x.shape.slice(0, -1).map((_, axis) => axis);
      const mean = tf.mean(x, axes);
      const deviation = tf.sqrt(tf.mean(tf.square(tf.sub(x, mean)), axes));
      bias.assign(tf.neg(mean));
      logScale.assign(tf.div(tf.log(tf.add(deviation, EPSILON)), -LOG_SCALE_FACTOR));
    },
  };
}
