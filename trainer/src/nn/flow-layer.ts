// Layers of normalising flows: invertible maps whose Jacobian's determinant is known (Rezende & Mohamed 2015).
import type { Tensor } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';

/**
 * 'serve': as exported. 'train': as a training step sees it, e.g. with the statistics of its own batch. 'initialise': the
 * layer first sets its parameters by what it is given (data-dependent initialisation, Salimans & Kingma 2016).
 */
export type FlowMode = 'serve' | 'train' | 'initialise';

export interface FlowResult {
  readonly y: Tensor;
  /** log|det dy/dx|, nats: [batch], or a scalar where it is the same for every row. */
  readonly logDeterminant: Tensor;
}

export interface FlowLayer {
  /** From data towards noise. */
  forward(x: Tensor, mode: FlowMode): FlowResult;
  /** From noise towards data, in serving mode. */
  inverse(y: Tensor): Tensor;
}

/** One layer after the other. */
export function chain(layers: readonly FlowLayer[]): FlowLayer {
  return {
    forward(x, mode) {
      let result: FlowResult = { y: x, logDeterminant: tf.scalar(0) };
      for (const layer of layers) {
        const { y, logDeterminant } = layer.forward(result.y, mode);
        result = { y, logDeterminant: tf.add(result.logDeterminant, logDeterminant) };
      }
      return result;
    },
    inverse: y => layers.reduceRight((value, layer) => layer.inverse(value), y),
  };
}

/** The same elements in reversed order: vectors [batch, D]. */
export const reversal: FlowLayer = {
  forward: x => ({ y: tf.reverse(x, 1), logDeterminant: tf.scalar(0) }),
  inverse: y => tf.reverse(y, 1),
};
