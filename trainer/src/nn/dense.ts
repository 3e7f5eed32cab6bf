// A fully connected layer.
import type { Tensor, Tensor2D } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';
import { biasOf } from './bias.js';
import { fanInNormal } from './initialisers.js';
import { inModule } from './module.js';
import type { Initialiser, Scope } from './variable.js';

export interface DenseOptions {
  readonly inputs: number;
  readonly outputs: number;
  /** He's rule when absent. */
  readonly kernel?: Initialiser;
  /** Zeros when absent; 'none' for a layer that normalisation follows, which would take the bias away again. */
  readonly bias?: Initialiser | 'none';
}

/** [batch, inputs] -> [batch, outputs]: x W + b. */
export function dense(scope: Scope, options: DenseOptions): (x: Tensor) => Tensor2D {
  const { inputs, outputs } = options;
  const kernel = scope.parameter('kernel', [inputs, outputs], options.kernel ?? fanInNormal(inputs));
  const addBias = biasOf(scope, outputs, options.bias);
  // A product of two matrices is a matrix, and adding a row vector keeps it one; tfjs' types lose that.
  return x => inModule(scope, () => addBias(tf.matMul(x, kernel.value)) as Tensor2D);
}
