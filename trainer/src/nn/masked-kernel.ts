// The masked convolution of van den Oord et al. 2016, "Pixel Recurrent Neural Networks", sec. 3.4: rows above and what lies to
// the left, in one kernel. The rows below the middle are left out; a mask is needed for the middle row alone.
import type { Tensor, Tensor2D, Tensor4D } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';
import { addBias } from './bias.js';
import { fanInNormal, zeros } from './initialisers.js';
import { halfOf, type MaskedConvolutionOptions } from './masked-convolution.js';
import type { Scope } from './variable.js';

export interface KernelOptions extends MaskedConvolutionOptions {
  /** 'A' hides the pixel from itself: for a layer that reads the image. 'B' shows it. */
  readonly mask: 'A' | 'B';
}

export interface MaskedKernel {
  /** Rows above that a pixel is made from, and pixels of its own row. */
  readonly rows: number;
  readonly columns: number;
  /** [batch, height, width, inputs] -> [batch, height, width, outputs] */
  map(x: Tensor): Tensor4D;
  /** The share of the rows above: [batch, rows, width, inputs] -> [batch, 1, width, outputs], bias included. */
  above(window: Tensor): Tensor4D;
  /** The share of the pixel's own row, oldest first: [batch, columns * inputs] -> [batch, outputs]. */
  left(window: Tensor): Tensor2D;
}

export function maskedKernel(scope: Scope, { inputs, outputs, size, mask }: KernelOptions): MaskedKernel {
  const half = halfOf(size);
  const rows = half - 1;
  const columns = mask === 'A' ? half - 1 : half;
  const seen = rows * size + columns;
  const filter = scope.parameter('filter', [half, size, inputs, outputs], fanInNormal(seen * inputs));
  const bias = scope.bias('bias', outputs, zeros);
  const taps = Float32Array.from({ length: half * size }, (_, tap) => Number(tap < seen));
  const sides: [number, number] = [rows, rows];
  // Variables are plain Tensors; the casts state the ranks that the shapes have.
  const convolve = (x: Tensor, kernel: Tensor, top: number) =>
    addBias(tf.conv2d(x as Tensor4D, kernel as Tensor4D, 1, [[0, 0], [top, 0], sides, [0, 0]]), bias.value);
  return {
    rows,
    columns,
    map: x => convolve(x, tf.mul(filter.value, tf.tensor4d(taps, [half, size, 1, 1])), rows),
    above: window => convolve(window, tf.slice(filter.value, [0, 0, 0, 0], [rows, -1, -1, -1]), 0),
    left(window) {
      const own = tf.slice(filter.value, [rows, 0, 0, 0], [1, columns, -1, -1]);
      return tf.matMul(window as Tensor2D, tf.reshape(own, [columns * inputs, outputs]));
    },
  };
}
