// Convolutions that see only what comes before a pixel in raster order. A mask would multiply half of a k x k kernel by
// zero; here the other half is left out, and the order comes from padding and from shifting the image once.
import type { Tensor, Tensor2D, Tensor4D } from '@tensorflow/tfjs';
import { z } from 'zod';
import { tf } from '../trace/tensorflow.js';
import { addBias } from './bias.js';
import { fanInNormal, zeros } from './initialisers.js';
import type { Scope } from './variable.js';

export interface MaskedConvolutionOptions {
  readonly inputs: number;
  readonly outputs: number;
  /** Height and width k of the kernel that the mask would be laid over; odd. */
  readonly size: number;
}

/** Of a configuration: the size of a kernel with a middle. */
export const oddSize = z
  .int()
  .min(3)
  .refine(size => size % 2 === 1, 'must be odd');

/** Half a kernel, the middle included. */
export const halfOf = (size: number): number => (size + 1) / 2;

/** Row i becomes row i + 1; the first row becomes zero. [batch, height, width, channels] */
export function shiftDown(x: Tensor): Tensor4D {
  const [, height] = (x as Tensor4D).shape; // rank 4, by the contract above
  return tf.slice(tf.pad(x as Tensor4D, padding({ top: 1 })), [0, 0, 0, 0], [-1, height, -1, -1]);
}

/** Column j becomes column j + 1; the first column becomes zero. [batch, height, width, channels] */
export function shiftRight(x: Tensor): Tensor4D {
  const [, , width] = (x as Tensor4D).shape; // rank 4, by the contract above
  return tf.slice(tf.pad(x as Tensor4D, padding({ left: 1 })), [0, 0, 0, 0], [-1, -1, width, -1]);
}

/** Pixel (i, j) sees rows i - half + 1 ... i and columns j - half + 1 ... j + half - 1: the kernel without its lower half. */
export interface VerticalConvolution {
  /** Rows that a row of the result is made from. */
  readonly rows: number;
  /** [batch, height, width, inputs] -> [batch, height, width, outputs] */
  map(x: Tensor): Tensor4D;
  /** One row from the rows it sees: [batch, rows, width, inputs] -> [batch, 1, width, outputs]. */
  row(window: Tensor): Tensor4D;
}

export function verticalConvolution(scope: Scope, options: MaskedConvolutionOptions): VerticalConvolution {
  const { inputs, outputs, size } = options;
  const rows = halfOf(size);
  const side = rows - 1;
  const filter = scope.parameter('filter', [rows, size, inputs, outputs], fanInNormal(rows * size * inputs, 1));
  const bias = scope.bias('bias', outputs, zeros);
  const convolve = (x: Tensor, top: number) => {
    // Variables are plain Tensors; the casts state the ranks that the shapes have.
    const result = tf.conv2d(x as Tensor4D, filter.value as Tensor4D, 1, padding({ top, left: side, right: side }));
    return addBias(result, bias.value);
  };
  return { rows, map: x => convolve(x, rows - 1), row: window => convolve(window, 0) };
}

/** Pixel (i, j) sees columns j - half + 1 ... j of its own row: the middle row of the kernel without its right half. */
export interface HorizontalConvolution {
  /** Columns that a pixel of the result is made from. */
  readonly columns: number;
  /** [batch, height, width, inputs] -> [batch, height, width, outputs]; no bias. */
  map(x: Tensor): Tensor4D;
  /** One pixel from the pixels it sees, oldest first: [batch, columns * inputs] -> [batch, outputs]. */
  pixel(window: Tensor): Tensor2D;
}

export function horizontalConvolution(scope: Scope, options: MaskedConvolutionOptions): HorizontalConvolution {
  const { inputs, outputs, size } = options;
  const columns = halfOf(size);
  const filter = scope.parameter('filter', [1, columns, inputs, outputs], fanInNormal(columns * inputs, 1));
  return {
    columns,
    // As above: the casts state the ranks that the shapes have.
    map: x => tf.conv2d(x as Tensor4D, filter.value as Tensor4D, 1, padding({ left: columns - 1 })),
    pixel: window => tf.matMul(window as Tensor2D, tf.reshape(filter.value, [columns * inputs, outputs])),
  };
}

/** A 1x1 convolution: every pixel by itself, so it masks nothing. */
export interface PointwiseConvolution {
  /** [batch, height, width, inputs] -> [batch, height, width, outputs] */
  map(x: Tensor): Tensor4D;
  /** [batch, inputs] -> [batch, outputs] */
  pixel(x: Tensor): Tensor2D;
}

export interface PointwiseOptions {
  readonly inputs: number;
  readonly outputs: number;
  /** True when absent. */
  readonly biased?: boolean;
  /** Gain of the initial weights; 1 when absent. */
  readonly gain?: number;
}

export function pointwiseConvolution(scope: Scope, options: PointwiseOptions): PointwiseConvolution {
  const { inputs, outputs, biased = true, gain = 1 } = options;
  const filter = scope.parameter('filter', [1, 1, inputs, outputs], fanInNormal(inputs, gain));
  const bias = biased ? scope.bias('bias', outputs, zeros) : undefined;
  const shifted = <Result extends Tensor>(x: Result) => (bias ? addBias(x, bias.value) : x);
  return {
    map: x => shifted(tf.conv2d(x as Tensor4D, filter.value as Tensor4D, 1, 'valid')), // rank 4, by the shapes
    pixel: x => shifted(tf.matMul(x as Tensor2D, tf.reshape(filter.value, [inputs, outputs]))), // rank 2, by the shapes
  };
}

interface Sides {
  readonly top?: number;
  readonly left?: number;
  readonly right?: number;
}

function padding({ top = 0, left = 0, right = 0 }: Sides): [Pair, Pair, Pair, Pair] {
  return [
    [0, 0],
    [top, 0],
    [left, right],
    [0, 0],
  ];
}
type Pair = [before: number, after: number];
