// The offset that ends a linear layer.
import type { Tensor } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';
import { zeros } from './initialisers.js';
import type { Initialiser, Scope } from './variable.js';

/** Adds a parameter "bias" [outputs] along the last axis; nothing for 'none'. */
export function biasOf(scope: Scope, outputs: number, initialise: Initialiser | 'none' = zeros): (x: Tensor) => Tensor {
  if (initialise === 'none') return x => x;
  const bias = scope.parameter('bias', [outputs], initialise);
  return x => tf.add(x, bias.value);
}
