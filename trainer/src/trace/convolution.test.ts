// Convolutions, pooling and resizing against tfjs's own cpu backend: values, and gradients where tfjs has them.
import { describe, expect, test } from 'vitest';
import { type Case, compare, floats } from '../testing/agreement.js';
import { tf } from './tensorflow.js';

const forward = { gradients: false };
const t4 = (x: tf.Tensor) => x as tf.Tensor4D;

const convolutions: Case[] = [];
for (const [size, filter, stride, pad] of [
  [5, 3, 1, 'same'],
  [6, 3, 2, 'same'],
  [7, 3, 2, 'same'],
  [7, 4, 2, 'same'],
  [6, 5, 3, 'same'],
  [5, 1, 1, 'same'],
  [6, 3, 1, 'valid'],
  [7, 3, 2, 'valid'],
  [8, 3, 2, 'valid'],
  [6, 3, 1, 1],
  [7, 5, 2, 2],
  [6, 4, 1, 'same'],
] as const) {
  convolutions.push({
    name: `conv2d ${size}x${size}, ${filter}x${filter}, stride ${stride}, ${pad}`,
    inputs: [floats([2, size, size + 1, 3]), floats([filter, filter, 3, 4], 2)],
    body: (x, f) => tf.conv2d(t4(x!), t4(f!), stride, pad),
  });
  if (typeof pad === 'number') continue;
  const out = pad === 'same' ? Math.ceil(size / stride) : Math.ceil((size - filter + 1) / stride);
  convolutions.push({
    name: `conv2dTranspose to ${size}x${size}, ${filter}x${filter}, stride ${stride}, ${pad}`,
    inputs: [floats([2, out, out, 3]), floats([filter, filter, 4, 3], 2)],
    body: (x, f) => tf.conv2dTranspose(t4(x!), t4(f!), [2, size, size, 4], stride, pad),
  });
  convolutions.push({
    name: `depthwiseConv2d ${size}x${size}, ${filter}x${filter}, stride ${stride}, ${pad}`,
    inputs: [floats([2, size, size, 3]), floats([filter, filter, 3, 2], 2)],
    body: (x, f) => tf.depthwiseConv2d(t4(x!), t4(f!), stride, pad),
  });
}
// channels are computed in groups of 8 or 16, the last one filled up; with tolerance for another order of summation
for (const [inputs, outputs] of [
  [16, 32],
  [20, 4],
  [1, 16],
  [3, 1],
  [32, 24],
] as const) {
  for (const [size, filter, stride] of [
    [6, 3, 1],
    [7, 3, 2],
    [8, 5, 2],
    [5, 4, 1],
    [9, 5, 3],
  ] as const) {
    const down = Math.ceil(size / stride);
    convolutions.push(
      {
        name: `conv2d in blocks ${inputs} to ${outputs}, ${size}x${size}, ${filter}x${filter}, stride ${stride}`,
        inputs: [floats([4, size, size, inputs]), floats([filter, filter, inputs, outputs], 2), floats([outputs], 3)],
        body: (x, f, b) => tf.relu(tf.add(tf.conv2d(t4(x!), t4(f!), stride, 'same'), b!)),
        tolerance: 1e-4,
      },
      {
        name: `conv2dTranspose in blocks ${inputs} to ${outputs}, to ${size}x${size}, ${filter}x${filter}, stride ${stride}`,
        inputs: [floats([2, down, down, inputs]), floats([filter, filter, outputs, inputs], 2), floats([outputs], 3)],
        body: (x, f, b) => {
          const y = tf.conv2dTranspose(t4(x!), t4(f!), [2, size, size, outputs], stride, 'same');
          return tf.square(tf.add(y, b!));
        },
        tolerance: 1e-4,
      },
    );
  }
}
convolutions.push(
  {
    name: 'conv2d dilated',
    inputs: [floats([2, 8, 9, 3]), floats([3, 2, 3, 4], 2)],
    body: (x, f) => tf.conv2d(t4(x!), t4(f!), 1, 'same', 'NHWC', [2, 3]),
    ...forward,
  },
  {
    name: 'conv1d',
    inputs: [floats([2, 9, 3]), floats([3, 3, 4], 2)],
    body: (x, f) => tf.conv1d(x as tf.Tensor3D, f as tf.Tensor3D, 2, 'same'),
  },
  {
    name: 'separableConv2d',
    inputs: [floats([2, 6, 6, 3]), floats([3, 3, 3, 2], 2), floats([1, 1, 6, 4], 3)],
    body: (x, d, p) => tf.separableConv2d(t4(x!), t4(d!), t4(p!), 1, 'same'),
  },
  { name: 'avgPool', inputs: [floats([2, 6, 6, 3])], body: x => tf.avgPool(t4(x!), 2, 2, 'valid') },
  {
    name: 'avgPool, overlapping and padded',
    inputs: [floats([2, 6, 6, 3])],
    body: x => tf.avgPool(t4(x!), 3, 2, 'same'),
    ...forward,
  },
  { name: 'maxPool', inputs: [floats([2, 7, 6, 3])], body: x => tf.maxPool(t4(x!), 2, 2, 'valid') },
  {
    name: 'maxPool, overlapping and padded',
    inputs: [floats([2, 7, 6, 3])],
    body: x => tf.maxPool(t4(x!), 3, 2, 'same'),
  },
  {
    name: 'maxPool of ties',
    inputs: [floats([2, 4, 4, 2])],
    body: x => tf.maxPool(t4(tf.relu(tf.round(x!))), 2, 2, 'valid'),
  },
);

const resizes: Case[] = [];
for (const [alignCorners, halfPixelCenters] of [
  [false, false],
  [true, false],
  [false, true],
] as const) {
  for (const size of [
    [8, 6],
    [3, 2],
    [5, 9],
  ] as [number, number][]) {
    for (const [name, operation] of [
      ['resizeBilinear', tf.image.resizeBilinear],
      ['resizeNearestNeighbor', tf.image.resizeNearestNeighbor],
    ] as const) {
      resizes.push({
        name: `${name} 4x4 to ${size.join('x')}${alignCorners ? ', corners aligned' : ''}${halfPixelCenters ? ', half-pixel centres' : ''}`,
        inputs: [floats([1, 4, 4, 2])],
        body: x => operation(t4(x!), size, alignCorners, halfPixelCenters),
        // tfjs's own gradients forget halfPixelCenters, and are right for a single square image only
        gradients: !halfPixelCenters,
      });
    }
  }
}

describe.each([
  ['convolution', convolutions],
  ['resize', resizes],
])('%s kernels, recorded, equal tfjs', (_, cases) => {
  test.each(cases)('$name', async each => {
    const { output, relative } = await compare(each);
    expect(relative, output).toBeLessThanOrEqual(each.tolerance ?? 1e-5);
  });
});
