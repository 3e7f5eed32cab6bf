// Kernels over generated shapes, strides, paddings, dilations and broadcasts, and compositions that families make of them, against
// tfjs's own cpu backend: values and gradients (tfjs has none of dilated convolutions). The seed is fixed.
import { describe, expect, test } from 'vitest';
import { type Case, compare, floats, integers, numbers } from '../testing/agreement.js';
import { tf } from './tensorflow.js';

const next = numbers(20_240_711);
const among = <Item>(items: readonly Item[]): Item => items[Math.floor(next() * items.length)]!;
const between = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1));
const t4 = (x: tf.Tensor | undefined) => x as tf.Tensor4D;
const t2 = (x: tf.Tensor | undefined) => x as tf.Tensor2D;

const many = (count: number, make: (index: number) => Case): Case[] => Array.from({ length: count }, (_, i) => make(i));

const convolutions = many(14, index => {
  const [filterHeight, filterWidth] = [between(1, 5), between(1, 5)];
  const dilation = index % 3 === 0 ? between(2, 3) : 1;
  // tfjs refuses a stride with a dilation
  const stride = dilation > 1 ? 1 : between(1, 3);
  const reach = (filter: number) => (filter - 1) * dilation + 1;
  const [height, width] = [reach(filterHeight) + between(0, 6), reach(filterWidth) + between(0, 6)];
  const [inputs, outputs] = [between(1, 9), between(1, 9)];
  const pad = among(['same', 'valid'] as const);
  return {
    name: `conv2d ${height}x${width}x${inputs}, ${filterHeight}x${filterWidth} to ${outputs}, stride ${stride}, dilation ${dilation}, ${pad}`,
    inputs: [
      floats([between(1, 3), height, width, inputs], index),
      floats([filterHeight, filterWidth, inputs, outputs], 9),
    ],
    body: (x, filter) => tf.conv2d(t4(x), t4(filter), stride, pad, 'NHWC', dilation),
    gradients: dilation === 1,
  };
});

const depthwise = many(8, index => {
  const filter = between(1, 4);
  const dilation = index % 2 === 0 ? 1 : 2;
  const stride = dilation > 1 ? 1 : between(1, 2);
  const side = (filter - 1) * dilation + 1 + between(0, 5);
  const [channels, multiplier] = [between(1, 5), between(1, 3)];
  const pad = among(['same', 'valid'] as const);
  return {
    name: `depthwiseConv2d ${side}x${side}x${channels}, ${filter}x${filter} by ${multiplier}, stride ${stride}, dilation ${dilation}, ${pad}`,
    inputs: [floats([2, side, side, channels], index), floats([filter, filter, channels, multiplier], 9)],
    body: (x, kernel) => tf.depthwiseConv2d(t4(x), t4(kernel), stride, pad, 'NHWC', dilation),
    gradients: dilation === 1,
  };
});

const lines = many(5, index => {
  const [filter, dilation] = [between(1, 4), between(1, 3)];
  const [length, channels, outputs] = [(filter - 1) * dilation + 1 + between(0, 7), between(1, 4), between(1, 4)];
  return {
    name: `conv1d, causal, ${length}x${channels}, ${filter} to ${outputs}, dilation ${dilation}`,
    inputs: [floats([2, length, channels], index), floats([filter, channels, outputs], 9)],
    body: (x, kernel) =>
      tf.conv1d(
        tf.pad(x as tf.Tensor3D, [
          [0, 0],
          [(filter - 1) * dilation, 0],
          [0, 0],
        ]),
        kernel as tf.Tensor3D,
        1,
        'valid',
        'NWC',
        dilation,
      ),
    gradients: dilation === 1,
  };
});

const broadcasts = many(12, index => {
  const shape = Array.from({ length: between(1, 4) }, () => between(1, 4));
  const shrink = () =>
    shape.map(extent => (next() < 0.4 ? 1 : extent)).slice(next() < 0.3 ? between(0, shape.length) : 0);
  const [a, b] = [shrink(), shrink()];
  const operation = among(['add', 'sub', 'mul', 'div', 'maximum', 'squaredDifference', 'pow', 'atan2'] as const);
  return {
    name: `${operation} of [${a}] and [${b}]`,
    inputs: [floats(a, index + 1, 0.5, 2), floats(b, index + 50, 0.6, 2.1)],
    body: (x, y) => tf[operation](x!, y!) as tf.Tensor,
    tolerance: 2e-5,
  };
});

const products = many(8, index => {
  const [rows, inner, columns] = [between(1, 6), between(1, 6), between(1, 6)];
  const leading = Array.from({ length: between(0, 2) }, () => between(1, 3));
  // tfjs repeats matrices wrongly where only some of several leading axes are 1
  const other = next() < 0.5 ? leading : leading.map(() => 1);
  const [transposeA, transposeB] = [next() < 0.5, next() < 0.5];
  return {
    name: `matMul [${leading},${rows},${inner}] by [${other},${inner},${columns}]${transposeA ? ', a^T' : ''}${transposeB ? ', b^T' : ''}`,
    inputs: [
      floats([...leading, ...(transposeA ? [inner, rows] : [rows, inner])], index + 1),
      floats([...other, ...(transposeB ? [columns, inner] : [inner, columns])], index + 30),
    ],
    body: (a, b) => tf.matMul(a!, b!, transposeA, transposeB),
    // tfjs does not sum its own gradients over broadcast axes
    gradients: String(leading) === String(other),
  };
});

const shapes = many(10, index => {
  const shape = Array.from({ length: between(2, 4) }, () => between(2, 5));
  const pads = shape.map((): [number, number] => [between(0, 1), between(0, 1)]);
  const [axis, other] = [between(0, shape.length - 1), between(0, shape.length - 1)];
  const bodies: Record<string, (x: tf.Tensor) => tf.Tensor> = {
    mirrorPad: x => tf.mirrorPad(x, pads, 'reflect'),
    pad: x => tf.pad(x, pads, 0.3),
    reverse: x => tf.reverse(x, axis),
    logSumExp: x => tf.logSumExp(x, axis),
    cumsum: x => tf.cumsum(x, shape.length - 1, index % 2 === 0),
    'sum of squares': x => tf.sum(tf.square(x), [...new Set([axis, other])], true),
    'mean and product': x => tf.mul(tf.mean(x, axis, true), x),
    'split and concat': x => tf.concat(tf.split(x, [1, shape[axis]! - 1], axis).reverse(), axis),
    'stack of slices': x =>
      tf.stack([
        tf.slice(
          x,
          shape.map(() => 0),
          shape.map(extent => extent - 1),
        ),
        tf.slice(
          x,
          shape.map(() => 1),
        ),
      ]),
    tile: x =>
      tf.tile(
        x,
        shape.map(() => between(1, 1) + (index % 2)),
      ),
  };
  const [name, body] = Object.entries(bodies)[index]!;
  return { name: `${name} of [${shape}] along ${axis}`, inputs: [floats(shape, index + 3)], body: x => body(x!) };
});

const compositions: Case[] = [
  {
    name: 'a step of power iteration, as spectral normalisation takes it',
    inputs: [floats([5, 3]), floats([1, 5], 4)],
    body: (w, u) => {
      const normalised = (x: tf.Tensor) => tf.div(x, tf.add(tf.norm(x), 1e-12));
      const v = normalised(tf.matMul(t2(u), t2(w)));
      const left = normalised(tf.matMul(t2(v), t2(w), false, true));
      const sigma = tf.sum(tf.mul(tf.matMul(t2(left), t2(w)), v));
      return [tf.div(w!, sigma), v, left];
    },
  },
  {
    name: 'a lower triangular mask, as causal attention has it',
    inputs: [floats([2, 5, 5])],
    body: x =>
      tf.softmax(
        tf.add(tf.linalg.bandPart(x!, -1, 0), tf.mul(-1e4, tf.sub(1, tf.linalg.bandPart(tf.ones([5, 5]), -1, 0)))),
      ),
  },
  {
    name: 'batch normalisation by its own moments',
    inputs: [floats([4, 3, 3, 2]), floats([2], 3), floats([2], 4)],
    body: (x, scale, offset) => {
      const { mean, variance } = tf.moments(x!, [0, 1, 2]);
      return tf.batchNorm(
        t4(x),
        mean as tf.Tensor1D,
        variance as tf.Tensor1D,
        offset as tf.Tensor1D,
        scale as tf.Tensor1D,
        1e-5,
      );
    },
    tolerance: 1e-4,
  },
  {
    name: 'sorting by topk',
    inputs: [floats([3, 6])],
    body: x => tf.topk(x!, 6, true).values,
    gradients: false,
  },
  {
    name: 'an embedding, with gradients for rows that come twice',
    inputs: [floats([6, 4])],
    body: table => tf.gather(table!, tf.tensor1d([1, 4, 1, 0], 'int32')),
  },
  {
    name: 'cross entropy of integer classes',
    inputs: [floats([4, 5]), integers([4], 0, 5)],
    body: (logits, label) => tf.neg(tf.sum(tf.mul(tf.oneHot(label!, 5), tf.logSoftmax(logits!)), -1)),
  },
];

describe.each([
  ['convolution', convolutions],
  ['depthwise convolution', depthwise],
  ['one-dimensional convolution', lines],
  ['broadcast', broadcasts],
  ['matrix product', products],
  ['shape', shapes],
  ['composition', compositions],
])('%s over generated cases, recorded, equals tfjs', (_, cases) => {
  test.each(cases)('$name', async each => {
    const { output, relative } = await compare(each);
    expect(relative, output).toBeLessThanOrEqual(each.tolerance ?? 1e-5);
  });
});
