// The masked stack of no layers at all: the condition map holds the logits, and no pixel sees another.
import { type Tensor, type Tensor4D } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';
import type { Condition, MaskedStack } from './masked-stack.js';

export function independentPixels(): MaskedStack {
  return {
    map: (_, condition) => logitsOf(condition),
    raster: condition => ({
      rowState: {},
      columnState: {},
      features: {},
      given: { logits: logitsOf(condition) },
      row: (_state, _above, given) => ({ state: {}, drives: { logits: tf.squeeze(given.logits!, [1]) } }), // as given
      pixel: (_state, _left, drives) => ({ state: {}, logits: drives.logits!, features: {} }), // as driven
    }),
  };
}

function logitsOf(condition: Condition | undefined): Tensor4D {
  const map: Tensor | undefined = condition?.map;
  if (!map) throw new Error('independent pixels need a map of logits');
  return map as Tensor4D; // rank 4, by the contract of Condition
}
