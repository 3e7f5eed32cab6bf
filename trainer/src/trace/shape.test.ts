// Kernels that move, combine and pick elements against tfjs's own cpu backend: values, and gradients where tfjs has them.
import { describe, expect, test } from 'vitest';
import { type Case, compare, floats, integers } from '../testing/agreement.js';
import { tf } from './tensorflow.js';

const forward = { gradients: false };
type T = tf.Tensor;
const t4 = (x: tf.Tensor) => x as tf.Tensor4D;

const shapes: Case[] = [
  { name: 'reshape', inputs: [floats([2, 3, 4])], body: x => tf.square(tf.reshape(x!, [6, -1])) },
  { name: 'expandDims and squeeze', inputs: [floats([2, 1, 4])], body: x => tf.squeeze(tf.expandDims(x!, -1), [1]) },
  ...[
    [1, 0, 2],
    [2, 0, 1],
    [0, 2, 1],
  ].map(perm => ({
    name: `transpose ${perm}`,
    inputs: [floats([2, 3, 4])],
    body: (x?: T) => tf.transpose(tf.square(x!), perm),
  })),
  { name: 'slice', inputs: [floats([4, 5, 3])], body: x => tf.slice(x!, [1, 0, 1], [2, -1, 2]) },
  {
    name: 'stridedSlice',
    inputs: [floats([6, 5])],
    body: x => tf.stridedSlice(x!, [1, 4], [6, 0], [2, -1]),
    ...forward,
  },
  {
    name: 'stridedSlice with masks',
    inputs: [floats([6, 5])],
    body: x => tf.stridedSlice(x!, [2, 1], [3, 0], [1, 1], 0, 2, 0, 0, 1),
    ...forward,
  },
  {
    name: 'pad',
    inputs: [floats([2, 3])],
    body: x =>
      tf.pad(
        x!,
        [
          [1, 0],
          [2, 1],
        ],
        0.5,
      ),
  },
  {
    name: 'reflect pad',
    inputs: [floats([4, 5])],
    body: x =>
      tf.mirrorPad(
        x!,
        [
          [2, 1],
          [0, 3],
        ],
        'reflect',
      ),
    ...forward,
  },
  {
    name: 'symmetric pad',
    inputs: [floats([4, 5])],
    body: x =>
      tf.mirrorPad(
        x!,
        [
          [2, 1],
          [0, 3],
        ],
        'symmetric',
      ),
    ...forward,
  },
  {
    name: 'concat',
    inputs: [floats([2, 3]), floats([2, 1], 2), floats([2, 2], 3)],
    body: (...all) => tf.concat(all, 1),
  },
  { name: 'stack', inputs: [floats([2, 3]), floats([2, 3], 2)], body: (a, b) => tf.stack([a!, b!], 1) },
  { name: 'unstack', inputs: [floats([2, 3])], body: x => tf.unstack(x!, 1).map((each, i) => tf.mul(each, i + 1)) },
  { name: 'split', inputs: [floats([2, 6])], body: x => tf.split(x!, [1, 2, 3], 1) },
  { name: 'split evenly', inputs: [floats([4, 6])], body: x => tf.split(x!, 2, 0) },
  { name: 'tile', inputs: [floats([2, 3])], body: x => tf.tile(x!, [2, 3]) },
  { name: 'tile an axis of one', inputs: [floats([2, 1])], body: x => tf.tile(x!, [1, 3]) },
  { name: 'broadcastTo', inputs: [floats([2, 1])], body: x => tf.broadcastTo(x!, [3, 2, 4]) },
  { name: 'reverse', inputs: [floats([2, 3, 4])], body: x => tf.reverse(x!, [0, 2]) },
  {
    name: 'depthToSpace',
    inputs: [floats([2, 3, 2, 8])],
    body: x => tf.depthToSpace(t4(x!), 2),
    ...forward,
  },
  {
    name: 'spaceToBatchND',
    inputs: [floats([2, 3, 4, 2])],
    body: x =>
      tf.spaceToBatchND(
        x!,
        [2, 2],
        [
          [1, 0],
          [0, 2],
        ],
      ),
  },
  {
    name: 'batchToSpaceND',
    inputs: [floats([8, 2, 3, 2])],
    body: x =>
      tf.batchToSpaceND(
        x!,
        [2, 2],
        [
          [1, 0],
          [0, 2],
        ],
      ),
  },
];

/** Integers and booleans pass through the same kernels as floats. */
const otherTypes: Case[] = [
  {
    name: 'integers',
    inputs: [integers([2, 3], -4, 5), integers([2, 3], -4, 5, 2)],
    body: (a, b) => [
      tf.neg(a!),
      tf.abs(a!),
      tf.sum(a!, 1),
      tf.max(a!, 0),
      tf.min(a!),
      tf.cumsum(a!, 1),
      tf.minimum(a!, b!),
      tf.greater(a!, b!),
      tf.where(tf.less(a!, b!), a!, b!),
      tf.slice(a!, [0, 1], [-1, 2]),
      tf.pad(
        a!,
        [
          [1, 0],
          [0, 2],
        ],
        7,
      ),
      tf.tile(a!, [2, 2]),
      tf.concat([a!, b!], 0),
      tf.transpose(a!),
      tf.reverse(a!, 1),
      tf.gather(a!, tf.tensor1d([1, 0, 1], 'int32'), 0),
      tf.cast(a!, 'float32'),
    ],
    ...forward,
  },
  {
    name: 'booleans',
    inputs: [floats([2, 3]), floats([2, 3], 2)],
    body: (x, y) => {
      const [a, b] = [tf.greater(x!, 0), tf.greater(y!, 0)];
      return [
        tf.reshape(a, [6]),
        tf.transpose(a),
        tf.slice(a, [0, 1], [-1, 2]),
        tf.concat([a, b], 1),
        tf.tile(a, [1, 2]),
        tf.equal(a, b),
        tf.expandDims(tf.logicalNot(a), 0),
        tf.cast(a, 'int32'),
        tf.where(a, x!, y!),
      ];
    },
    ...forward,
  },
];

const axesOfThree = [undefined, 0, [1], [0, 2], [-1]];
const reduced = (
  name: string,
  body: (x: T, axis?: number | number[], keep?: boolean) => T,
  options: Partial<Case> = {},
) =>
  axesOfThree.flatMap(axis =>
    [false, true].map(
      (keep): Case => ({
        name: `${name} over ${axis ?? 'all'}${keep ? ', kept' : ''}`,
        inputs: [floats([2, 3, 4])],
        body: x => body(x!, axis, keep),
        ...options,
      }),
    ),
  );

const reductions: Case[] = [
  ...reduced('sum', tf.sum),
  ...reduced('mean', tf.mean),
  ...reduced('max', tf.max),
  ...reduced('min', tf.min),
  ...reduced('prod', tf.prod, forward),
  { name: 'prod, with gradients', inputs: [floats([2, 3])], body: x => tf.prod(x!, 1) },
  ...reduced('logSumExp', tf.logSumExp),
  ...reduced('all', (x, axis, keep) => tf.all(tf.greater(x, -1.5), axis, keep), forward),
  ...reduced('any', (x, axis, keep) => tf.any(tf.greater(x, 1.5), axis, keep), forward),
  { name: 'argMax', inputs: [floats([3, 5, 2])], body: x => tf.argMax(x!, 1), ...forward },
  { name: 'argMin', inputs: [floats([3, 5])], body: x => tf.argMin(x!, -1), ...forward },
  ...[
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ].flatMap(([exclusive, backwards]): Case[] => [
    {
      name: `cumsum${exclusive ? ' exclusive' : ''}${backwards ? ' reversed' : ''}`,
      inputs: [floats([3, 5])],
      body: x => tf.cumsum(x!, 1, exclusive, backwards),
    },
    {
      name: `cumprod${exclusive ? ' exclusive' : ''}${backwards ? ' reversed' : ''}`,
      inputs: [floats([3, 5])],
      body: x => tf.cumprod(x!, 1, exclusive, backwards),
      ...forward,
    },
  ]),
  { name: 'softmax', inputs: [floats([3, 5])], body: x => tf.softmax(x!) },
  { name: 'logSoftmax', inputs: [floats([3, 5])], body: x => tf.logSoftmax(x!) },
  { name: 'moments', inputs: [floats([4, 3, 3, 2])], body: x => Object.values(tf.moments(x!, [0, 1, 2])) },
  {
    name: 'topk',
    inputs: [floats([3, 7])],
    body: x => Object.values(tf.topk(x!, 3)),
    ...forward,
  },
];

const products: Case[] = [
  ...[
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ].flatMap(([transposeA, transposeB]) =>
    [[], [2], [2, 3]].map(
      (leading): Case => ({
        name: `matMul${transposeA ? ' a^T' : ''}${transposeB ? ' b^T' : ''} [${leading}]`,
        inputs: [
          floats([...leading, ...(transposeA ? [4, 3] : [3, 4])]),
          floats([...leading, ...(transposeB ? [5, 4] : [4, 5])], 2),
        ],
        body: (a, b) => tf.matMul(a!, b!, transposeA, transposeB),
      }),
    ),
  ),
  {
    name: 'matMul, matrix broadcast',
    inputs: [floats([3, 2, 4]), floats([1, 4, 5], 2)],
    body: (a, b) => tf.matMul(a!, b!),
    ...forward,
  },
  { name: 'dot', inputs: [floats([4]), floats([4], 2)], body: (a, b) => tf.dot(a!, b!) },
  {
    name: 'outerProduct',
    inputs: [floats([4]), floats([3], 2)],
    body: (a, b) => tf.outerProduct(a as tf.Tensor1D, b as tf.Tensor1D),
  },
];

const gathers: Case[] = [
  ...[0, 1, 2].map(axis => ({
    name: `gather along ${axis}`,
    inputs: [floats([4, 5, 3]), integers([2, 2], 0, 3)],
    body: (x?: T, i?: T) => tf.gather(x!, i!, axis),
  })),
  {
    name: 'gather within the batch',
    inputs: [floats([3, 5, 2]), integers([3, 4], 0, 5)],
    body: (x, i) => tf.gather(x!, i!, 1, 1),
    ...forward,
  },
  {
    name: 'gatherND',
    inputs: [floats([3, 4]), integers([5, 2], 0, 3)],
    body: (x, i) => tf.gatherND(x!, i!),
    ...forward,
  },
  {
    name: 'scatterND',
    inputs: [integers([5, 1], 0, 4), floats([5, 2])],
    body: (i, u) => tf.scatterND(i!, u!, [4, 2]),
    ...forward,
  },
  {
    name: 'unsortedSegmentSum',
    inputs: [floats([6, 2]), integers([6], 0, 3)],
    body: (x, i) => tf.unsortedSegmentSum(x!, i as tf.Tensor1D, 4),
    ...forward,
  },
  { name: 'oneHot', inputs: [integers([5], -1, 4)], body: i => tf.oneHot(i!, 4), ...forward },
  {
    name: 'oneHot with other values',
    inputs: [integers([2, 3], 0, 4)],
    body: i => tf.oneHot(i!, 4, 0.9, 0.1, 'float32'),
    ...forward,
  },
];

describe.each([
  ['shape', shapes],
  ['reduction', reductions],
  ['matrix', products],
  ['gather', gathers],
  ['other types:', otherTypes],
])('%s kernels, recorded, equal tfjs', (_, cases) => {
  test.each(cases)('$name', async each => {
    const { output, relative } = await compare(each);
    expect(relative, output).toBeLessThanOrEqual(each.tolerance ?? 1e-5);
  });
});
