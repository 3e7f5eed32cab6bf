// Images kept in onnxruntime's blocked layout: the same numbers as tfjs, and nothing between two convolutions.
import { describe, expect, test } from 'vitest';
import { compiledEngine } from '../engine/compiled.js';
import { type Case, compare, floats } from '../testing/agreement.js';
import { tf } from '../trace/tensorflow.js';
import { trace } from '../trace/trace.js';
import { optimise } from './optimise.js';
import type { Graph } from './types.js';

const image = (x: tf.Tensor | undefined) => x as tf.Tensor4D;

/** Filters that a batch of 16 images is correlated with for its gradient. */
const filterGradients: Case[] = (
  [
    // inputs, outputs, size, filter, stride, padding
    [16, 32, 6, 3, 1, 'same'],
    [32, 16, 7, 3, 2, 'same'],
    [64, 4, 6, 3, 1, 'same'],
    [48, 2, 5, 4, 1, 'valid'],
    [1, 16, 8, 5, 2, 'same'],
    [3, 1, 6, 3, 1, 'same'],
    [16, 1, 7, 3, 1, 'same'],
    [20, 24, 7, 3, 3, 'valid'],
    [16, 32, 5, 1, 1, 'same'],
    [16, 5, 5, 1, 1, 'same'],
    [16, 16, 6, 1, 2, 'same'],
  ] as const
).map(([inputs, outputs, size, filter, stride, pad]) => ({
  name: `${inputs} to ${outputs}, ${size}x${size}, ${filter}x${filter}, stride ${stride}, ${pad}`,
  inputs: [floats([16, size, size + 1, inputs]), floats([filter, filter, inputs, outputs], 2)],
  body: (x, f) => tf.conv2d(image(x), image(f), stride, pad),
}));

const convolve = (x: tf.Tensor, f: tf.Tensor | undefined) => tf.conv2d(image(x), image(f), 1, 'same');
const filters = [floats([16, 5, 5, 16]), floats([3, 3, 16, 32], 2), floats([3, 3, 16, 16], 3)];

const layers: Case[] = [
  {
    name: 'gates: halves of the channels, multiplied',
    inputs: filters,
    body: (x, f, g) => {
      const [a, b] = tf.split(convolve(x!, f), 2, 3);
      return convolve(tf.mul(tf.tanh(a!), tf.sigmoid(b!)), g);
    },
  },
  {
    name: 'residuals, rectified, with biases of channels and of rows',
    inputs: [...filters.slice(0, 1), ...filters.slice(2), floats([16], 4), floats([16, 1, 1, 16], 5)],
    body: (x, f, bias, rows) => {
      const y = tf.relu(tf.add(convolve(x!, f), bias!));
      return tf.add(convolve(tf.add(y, rows!), f), y);
    },
  },
  {
    name: 'padding, cropping, joining, masks over places',
    inputs: [...filters.slice(0, 1), ...filters.slice(2), floats([1, 5, 5, 16], 4), floats([16, 5, 5, 1], 5)],
    body: (x, f, mask, weight) => {
      const y = tf.mul(tf.mul(convolve(x!, f), mask!), weight!);
      const wide = tf.pad(image(y), [
        [0, 0],
        [1, 0],
        [0, 2],
        [0, 0],
      ]);
      const joined = tf.concat([tf.slice(wide, [0, 1, 0, 0], [-1, 5, 5, -1]), y, image(x)], 3);
      return tf.slice(joined, [0, 0, 0, 16], [-1, -1, 3, 32]);
    },
  },
  {
    name: 'normalisation over the batch, over each image, and over places',
    inputs: filters.filter((_, index) => index !== 1),
    body: (x, f) => {
      const y = convolve(x!, f);
      const centred = tf.sub(y, tf.mean(y, [0, 1, 2]));
      const scaled = tf.div(centred, tf.sqrt(tf.mean(tf.square(centred), [0, 1, 2], true)));
      return [convolve(scaled, f), tf.sum(tf.square(y), [1, 2, 3]), tf.mean(y, [1, 2]), tf.max(y)];
    },
  },
  {
    name: 'transposed convolutions, rectified',
    inputs: [floats([16, 3, 3, 16]), floats([4, 4, 16, 16], 2), floats([16], 3)],
    body: (x, f, bias) => {
      const wide = tf.relu(tf.add(tf.conv2dTranspose(image(x), image(f), [16, 6, 6, 16], 2, 'same'), bias!));
      return tf.conv2dTranspose(image(wide), image(f), [16, 12, 12, 16], 2, 'same');
    },
  },
];

describe.each([
  ['gradients of filters, as convolutions of batches', filterGradients],
  ['what lies between convolutions', layers],
])('%s, equal tfjs', (_, cases) => {
  test.each(cases)('$name', async each => {
    const { output, relative } = await compare(each);
    expect(relative, output).toBeLessThanOrEqual(1e-4);
  });
});

/** The graph of a training step's gradients, as it is made for this layout. */
function stepGraph(body: (x: tf.Tensor, f: tf.Tensor, g: tf.Tensor) => tf.Tensor): Graph {
  const program = {
    name: 'step',
    inputs: filters.map(({ shape }, index) => ({ name: `in${index}`, dtype: 'float32' as const, shape })),
    state: [],
    run: (fed: Readonly<Record<string, tf.Tensor>>) => {
      const loss = (f: tf.Tensor, g: tf.Tensor) => tf.sum(tf.square(body(fed.in0!, f, g))) as tf.Scalar;
      const [f, g] = tf.grads(loss as (...x: tf.Tensor[]) => tf.Tensor)([fed.in1!, fed.in2!]);
      return { f: f!, g: g! };
    },
  };
  return optimise(trace(program, 16), { block: 16 });
}

test('between convolutions nothing leaves the layout, and no tap of a filter is sliced for its gradient', () => {
  const graph = stepGraph((x, f, g) => {
    const [a, b] = tf.split(convolve(x, f), 2, 3);
    return convolve(tf.mul(tf.tanh(a!), tf.sigmoid(b!)), g);
  });
  const count = (operator: string) => graph.nodes.filter(node => node.operator === operator).length;
  // both filters' gradients come out; the halves are parted and joined, and the filter is turned for its images' gradient
  expect([count('ReorderOutput'), count('Slice'), count('Concat')]).toEqual([2, 3, 1]);
});

test('a step is bit-identical when it is run again', async () => {
  const program = {
    name: 'step',
    inputs: filters.map(({ shape }, index) => ({ name: `in${index}`, dtype: 'float32' as const, shape })),
    state: [],
    run: (fed: Readonly<Record<string, tf.Tensor>>) => {
      const loss = (f: tf.Tensor) => tf.sum(tf.square(convolve(fed.in0!, f))) as tf.Scalar;
      return { f: tf.grad(loss)(fed.in2!), y: convolve(fed.in0!, fed.in1!) };
    },
  };
  const executable = await compiledEngine({ threads: 2 }).compile(program, 1);
  const feeds = Object.fromEntries(filters.map((feed, index) => [`in${index}`, feed]));
  const [first, second] = [await executable.run(feeds, new Map()), await executable.run(feeds, new Map())];
  await executable.close();
  expect(second).toEqual(first);
});
