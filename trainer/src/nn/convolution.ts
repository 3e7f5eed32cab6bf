// Convolutions on [batch, height, width, channels], and their transposes.
import type { Tensor, Tensor4D } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';
import { biasOf } from './bias.js';
import { fanInNormal } from './initialisers.js';
import { inModule } from './module.js';
import type { Initialiser, Scope } from './variable.js';

export interface ConvolutionOptions {
  readonly inputs: number;
  readonly outputs: number;
  /** Height and width of the filter; 3 when absent. */
  readonly size?: number;
  readonly stride?: number;
  readonly padding?: 'same' | 'valid';
  /** He's rule when absent. */
  readonly filter?: Initialiser;
  /** Zeros when absent; 'none' for a layer that normalisation follows. */
  readonly bias?: Initialiser | 'none';
}

/** [batch, height, width, inputs] -> [batch, ceil(height / stride), ceil(width / stride), outputs] with 'same' padding. */
export function convolution(scope: Scope, options: ConvolutionOptions): (x: Tensor) => Tensor4D {
  const { inputs, outputs, size = 3, stride = 1, padding = 'same' } = options;
  const filter = scope.parameter(
    'filter',
    [size, size, inputs, outputs],
    options.filter ?? fanInNormal(size * size * inputs),
  );
  const addBias = biasOf(scope, outputs, options.bias);
  // Variables are plain Tensors; the rank-4 casts state what the shapes above are.
  return x =>
    inModule(scope, () => {
      return addBias(tf.conv2d(x as Tensor4D, filter.value as Tensor4D, stride, padding)) as Tensor4D;
    });
}

export interface TransposedConvolutionOptions extends Omit<ConvolutionOptions, 'padding'> {
  /** Height and width of the result: any size that a 'same' convolution with this stride takes to the input's. */
  readonly to: readonly [height: number, width: number];
}

/**
 * [batch, height, width, inputs] -> [batch, ...to, outputs]: the transpose of a 'same' convolution (Zeiler et al. 2010).
 * A filter tap meets an output pixel once in stride^2, which is what the initialiser's fan-in counts.
 */
export function transposedConvolution(scope: Scope, options: TransposedConvolutionOptions): (x: Tensor) => Tensor4D {
  const { inputs, outputs, size = 3, stride = 2, to } = options;
  const fanIn = (size * size * inputs) / (stride * stride);
  const filter = scope.parameter('filter', [size, size, outputs, inputs], options.filter ?? fanInNormal(fanIn));
  const addBias = biasOf(scope, outputs, options.bias);
  return x =>
    inModule(scope, () => {
      // As above: the casts state the ranks that the shapes have.
      const batch = (x as Tensor4D).shape[0];
      const shape: [number, number, number, number] = [batch, to[0], to[1], outputs];
      const spread = tf.conv2dTranspose(x as Tensor4D, filter.value as Tensor4D, shape, stride, 'same');
      return addBias(spread) as Tensor4D;
    });
}
