// One layer of a masked autoregressive flow (Papamakarios et al. 2017, sec. 3.1): a MADE that gives the mean and the log
// scale of each element given those before it. Towards noise all elements move at once, towards data one by one.
import type { Tensor } from '@tensorflow/tfjs';
import { sumPerRow } from '../distributions/reduce.js';
import { tf } from '../trace/tensorflow.js';
import { exp } from './activations.js';
import type { FlowLayer } from './flow-layer.js';
import { maskedAutoencoder } from './masked-dense.js';
import { inModule } from './module.js';
import type { Scope } from './variable.js';

/** Log scales stay between minus and plus this: a guard against rows unlike any that were trained on. */
const GREATEST_LOG_SCALE = 5;
/** Last weights so small that the layer starts near the identity. */
const OUTPUT_GAIN = 0.1;

export interface MaskedAffineOptions {
  /** D of vectors [batch, D]. */
  readonly dimensions: number;
  readonly hidden: readonly number[];
  /** See `maskedAutoencoder`. */
  readonly blocks: number;
}

/** y_i = (x_i - mean(x_<i)) exp(-log_scale(x_<i)), eq. 3 and 4. */
export function maskedAffine(scope: Scope, options: MaskedAffineOptions): FlowLayer {
  const network = maskedAutoencoder(scope, {
    ...options,
    outputs: ['mean', 'log_scale'],
    outputGain: OUTPUT_GAIN,
  });
  // The two that are asked for above.
  const parameters = (outputs: readonly Tensor[]) => {
    return { mean: outputs[0]!, logScale: tf.clipByValue(outputs[1]!, -GREATEST_LOG_SCALE, GREATEST_LOG_SCALE) };
  };
  return {
    forward: x =>
      inModule(scope, () => {
        const { mean, logScale } = parameters(network.map(x));
        return {
          y: tf.mul(tf.sub(x, mean), exp(tf.neg(logScale))),
          logDeterminant: tf.neg(sumPerRow(logScale)),
        };
      }),
    inverse: y =>
      inModule(scope, () =>
        network.draw({
          noise: y,
          decide(outputs, noise) {
            const { mean, logScale } = parameters(outputs);
            return tf.add(tf.mul(noise, exp(logScale)), mean);
          },
        }),
      ),
  };
}
