// Batch normalisation as a layer of a flow (Dinh et al. 2016, appendix E; Papamakarios et al. 2017, sec. 3.1): in training
// by the statistics of the batch, whose Jacobian counts, in serving by their average over the steps.
import { tf } from '../trace/tensorflow.js';
import { exp } from './activations.js';
import type { FlowLayer } from './flow-layer.js';
import { constant, zeros } from './initialisers.js';
import { inModule } from './module.js';
import type { Scope } from './variable.js';

const EPSILON = 1e-5;

export interface FlowBatchNormOptions {
  /** D of vectors [batch, D]. */
  readonly dimensions: number;
  /**
   * Decay of the running statistics. That of the parameter average, whose memory grows in the same way, makes them, to
   * first order, the statistics that belong to the averaged parameters.
   */
  readonly decay: number;
}

/** y = (x - mean) / sqrt(variance + 1e-5) * exp(log_gain) + offset, each element apart. */
export function flowBatchNorm(scope: Scope, { dimensions, decay }: FlowBatchNormOptions): FlowLayer {
  const logGain = scope.parameter('log_gain', [dimensions], zeros);
  const offset = scope.parameter('offset', [dimensions], zeros);
  const mean = scope.statistic('mean', [dimensions], zeros);
  const variance = scope.statistic('variance', [dimensions], constant(1));
  /** Batches seen: the memory is a ninth of them until it is as long as the decay makes it. */
  const count = scope.statistic('count', [1], zeros);
  return {
    forward: (x, mode) =>
      inModule(scope, () => {
        let [centre, spread] = [mean.value, variance.value];
        if (mode !== 'serve') {
          const rows = x.shape[0]!;
          centre = tf.mean(x, 0);
          spread = tf.mean(tf.square(tf.sub(x, centre)), 0);
          const rate = tf.maximum(tf.div(9, tf.add(count.value, 11)), 1 - decay);
          const unbiased = tf.mul(spread, rows / Math.max(1, rows - 1));
          mean.assign(tf.add(mean.value, tf.mul(rate, tf.sub(centre, mean.value))));
          variance.assign(tf.add(variance.value, tf.mul(rate, tf.sub(unbiased, variance.value))));
          count.assign(tf.add(count.value, 1));
        }
        const logDeviation = tf.mul(0.5, tf.log(tf.add(spread, EPSILON)));
        const logScale = tf.sub(logGain.value, logDeviation);
        return {
          y: tf.add(tf.mul(tf.sub(x, centre), exp(logScale)), offset.value),
          logDeterminant: tf.sum(logScale),
        };
      }),
    inverse: y =>
      inModule(scope, () => {
        const deviation = tf.sqrt(tf.add(variance.value, EPSILON));
        const scale = tf.mul(deviation, exp(tf.neg(logGain.value)));
        return tf.add(tf.mul(tf.sub(y, offset.value), scale), mean.value);
      }),
  };
}
