// A fully connected layer.
import type { Tensor, Tensor2D } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';
import { fanInNormal, zeros } from './initialisers.js';
import { inModule } from './module.js';
import type { Initialiser, Scope } from './variable.js';

export interface DenseOptions {
  readonly inputs: number;
  readonly outputs: number;
  /** He's rule when absent. */
  readonly kernel?: Initialiser;
  readonly bias?: Initialiser;
}

/** [batch, inputs] -> [batch, outputs]: x W + b. */
export function dense(scope: Scope, options: DenseOptions): (x: Tensor) => Tensor2D {
  const { inputs, outputs } = options;
  const kernel = scope.parameter('kernel', [inputs, outputs], options.kernel ?? fanInNormal(inputs));
  const bias = scope.parameter('bias', [outputs], options.bias ?? zeros);
  // A product of two matrices is a matrix, and adding a row vector keeps it one; tfjs' types lose that.
  return x => inModule(scope, () => tf.add(tf.matMul(x, kernel.value), bias.value) as Tensor2D);
}
