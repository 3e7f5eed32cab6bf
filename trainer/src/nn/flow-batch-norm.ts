// Batch normalisation as a layer of a flow (Dinh et al. 2016, appendix E; Papamakarios et al. 2017, sec. 3.1): in training
// by the statistics of the batch, whose Jacobian counts, in serving by their average over the steps.
import { tf } from '../trace/tensorflow.js';
import { exp } from './activations.js';
import type { FlowLayer } from './flow-layer.js';
import { zeros } from './initialisers.js';
import { inModule } from './module.js';
import { batchMoments, runningMoments } from './running-moments.js';
import type { Scope } from './variable.js';

const EPSILON = 1e-5;

export interface FlowBatchNormOptions {
  /** D of vectors [batch, D]. */
  readonly dimensions: number;
  /** Decay of the running statistics: see running-moments.ts. */
  readonly decay: number;
}

/** y = (x - mean) / sqrt(variance + 1e-5) * exp(log_gain) + offset, each element apart. */
export function flowBatchNorm(scope: Scope, { dimensions, decay }: FlowBatchNormOptions): FlowLayer {
  const logGain = scope.parameter('log_gain', [dimensions], zeros);
  const offset = scope.parameter('offset', [dimensions], zeros);
  const running = runningMoments(scope, dimensions, decay);
  return {
    forward: (x, mode) =>
      inModule(scope, () => {
        const { mean, variance } = mode === 'serve' ? running.read() : batchMoments(x);
        if (mode !== 'serve') running.add({ mean, variance }, x.shape[0]!);
        const logDeviation = tf.mul(0.5, tf.log(tf.add(variance, EPSILON)));
        const logScale = tf.sub(logGain.value, logDeviation);
        return {
          y: tf.add(tf.mul(tf.sub(x, mean), exp(logScale)), offset.value),
          logDeterminant: tf.sum(logScale),
        };
      }),
    inverse: y =>
      inModule(scope, () => {
        const { mean, variance } = running.read();
        const deviation = tf.sqrt(tf.add(variance, EPSILON));
        const scale = tf.mul(deviation, exp(tf.neg(logGain.value)));
        return tf.add(tf.mul(tf.sub(y, offset.value), scale), mean);
      }),
  };
}
