// The masked stack of no layers at all: the condition map holds the logits, and no pixel sees another.
import type { Tensor4D } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';
import type { MaskedStack } from './masked-stack.js';

export function independentPixels(): MaskedStack {
  return {
    map(_, condition) {
      if (!condition?.map) throw new Error('independent pixels need a map of logits');
      return condition.map as Tensor4D; // rank 4, by the contract of Condition
    },
    raster: condition => ({
      rowState: {},
      columnState: {},
      features: {},
      given: condition?.map ? { logits: condition.map } : {},
      row: (_state, _above, given) => ({ state: {}, drives: { logits: tf.squeeze(given.logits!, [1]) } }), // as given
      pixel: (_state, _left, drives) => ({ state: {}, logits: drives.logits!, features: {} }), // as driven
    }),
  };
}
