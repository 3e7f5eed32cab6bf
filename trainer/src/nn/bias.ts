// The offset that ends a linear layer.
import type { Tensor } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';
import { zeros } from './initialisers.js';
import type { Initialiser, Scope } from './variable.js';

/** Adds a parameter "bias" [outputs] along the last axis; nothing for 'none'. */
export function biasOf(scope: Scope, outputs: number, initialise: Initialiser | 'none' = zeros): (x: Tensor) => Tensor {
  if (initialise === 'none') return x => x;
  const bias = scope.bias('bias', outputs, initialise);
  return x => addBias(x, bias.value);
}

/** x [batch, ..., outputs] + bias [outputs], or one for each row [batch, outputs]. */
export function addBias<Result extends Tensor>(x: Result, bias: Tensor): Result {
  const between = x.shape.slice(1, -1).map(() => 1);
  const perRow = bias.rank === 2 && between.length > 0;
  const [batch, outputs] = bias.shape;
  // A sum with what is broadcast to x has the shape of x.
  return tf.add(x, perRow ? tf.reshape(bias, [batch!, ...between, outputs!]) : bias) as Result;
}
