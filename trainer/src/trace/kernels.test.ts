// Each kernel mapping against tfjs's own cpu backend: values, and gradients where tfjs has them.
import { describe, expect, test } from 'vitest';
import { type Case, compare, floats, integers } from './agreement.js';
import { tf } from './tensorflow.js';

const forward = { gradients: false };
type T = tf.Tensor;
const t4 = (x: T) => x as tf.Tensor4D;

/** One case for each unary function, on the interval where it is smooth and defined. */
const unary = (name: string, body: (x: T) => T, low = -2, high = 2, options: Partial<Case> = {}): Case => ({
  name,
  inputs: [floats([3, 4], 5, low, high)],
  body: x => body(x!),
  ...options,
});

const broadcasts: [number[], number[]][] = [
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3], [3]],
  [
    [4, 1, 3],
    [2, 1],
  ],
  [[], [2, 2]],
  [[2, 5, 5, 3], [3]],
  [
    [1, 3],
    [2, 1, 1],
  ],
];

const binary = (name: string, body: (a: T, b: T) => T, low = -2, options: Partial<Case> = {}): Case[] =>
  broadcasts.map(([left, right]) => ({
    name: `${name} [${left}] [${right}]`,
    inputs: [floats(left, 3, low), floats(right, 9, low)],
    body: (a, b) => body(a!, b!),
    ...options,
  }));

const elementwise: Case[] = [
  unary('abs', tf.abs),
  unary('acos', tf.acos, -0.9, 0.9),
  unary('acosh', tf.acosh, 1.2, 3),
  unary('asin', tf.asin, -0.9, 0.9),
  unary('asinh', tf.asinh),
  unary('atan', tf.atan),
  unary('atanh', tf.atanh, -0.9, 0.9),
  unary('cast to int32', x => tf.cast(x, 'int32'), -3, 3, forward),
  unary('cast to bool and back', x => tf.cast(tf.cast(tf.relu(x), 'bool'), 'float32'), -3, 3, forward),
  unary('ceil', tf.ceil),
  unary('clipByValue', x => tf.clipByValue(x, -0.5, 1)),
  unary('cos', tf.cos),
  unary('cosh', tf.cosh),
  unary('elu', tf.elu),
  unary('erf', tf.erf, -2, 2, { tolerance: 1e-4 }),
  unary('exp', tf.exp),
  unary('expm1', tf.expm1),
  unary('floor', tf.floor),
  unary('isFinite', x => tf.isFinite(tf.div(1, tf.relu(x))), -2, 2, forward),
  unary('isInf', x => tf.isInf(tf.div(1, tf.relu(x))), -2, 2, forward),
  unary('isNaN', x => tf.isNaN(tf.log(x)), -2, 2, forward),
  unary('leakyRelu', x => tf.leakyRelu(x, 0.3)),
  unary('log', tf.log, 0.1, 3),
  unary('log1p', tf.log1p, -0.5, 3),
  unary('logSigmoid', x => tf.logSigmoid(x)),
  unary('neg', tf.neg),
  unary('onesLike', x => tf.mul(x, tf.onesLike(x))),
  unary('reciprocal', tf.reciprocal, 0.5, 3),
  unary('relu', tf.relu),
  unary('relu6', tf.relu6, -2, 9),
  unary('round', tf.round),
  unary('rsqrt', tf.rsqrt, 0.2, 3),
  unary('selu', tf.selu),
  unary('sigmoid', tf.sigmoid, -20, 20, { tolerance: 1e-4 }),
  unary('sign', tf.sign),
  unary('sin', tf.sin),
  unary('sinh', tf.sinh),
  unary('softplus', tf.softplus, -30, 30, { tolerance: 1e-4 }),
  unary('sqrt', tf.sqrt, 0.1, 3),
  unary('square', tf.square),
  unary('step', x => tf.step(x, 0.25)),
  unary('tan', tf.tan, -1, 1),
  unary('tanh', tf.tanh),
  unary('zerosLike', x => tf.add(x, tf.zerosLike(x))),
  ...binary('add', tf.add),
  ...binary('atan2', tf.atan2),
  ...binary('div', tf.div, 0.5),
  ...binary('divNoNan', tf.divNoNan, 0.5, forward),
  ...binary('equal', tf.equal, -2, forward),
  ...binary('floorDiv', (a, b) => tf.floorDiv(tf.mul(a, 5), b), 0.6, forward),
  ...binary('greater', tf.greater, -2, forward),
  ...binary('greaterEqual', tf.greaterEqual, -2, forward),
  ...binary('less', tf.less, -2, forward),
  ...binary('lessEqual', tf.lessEqual, -2, forward),
  ...binary('maximum', tf.maximum, -2, forward),
  ...binary('minimum', tf.minimum, -2, forward),
  ...binary('mod', tf.mod, 0.4),
  ...binary('mul', tf.mul),
  ...binary('notEqual', tf.notEqual, -2, forward),
  ...binary('pow', tf.pow, 0.3),
  ...binary('squaredDifference', tf.squaredDifference, -2, forward),
  ...binary('sub', tf.sub),
  ...binary('logicalAnd', (a, b) => tf.logicalAnd(tf.greater(a, 0), tf.greater(b, 0)), -2, forward),
  ...binary('logicalOr', (a, b) => tf.logicalOr(tf.greater(a, 0), tf.greater(b, 0)), -2, forward),
  ...binary('logicalXor', (a, b) => tf.logicalXor(tf.greater(a, 0), tf.greater(b, 0)), -2, forward),
  {
    name: 'logicalNot',
    inputs: [floats([5])],
    body: x => tf.logicalNot(tf.greater(x!, 0)),
    ...forward,
  },
  // tfjs has gradients for these where nothing is broadcast
  ...[tf.maximum, tf.minimum, tf.squaredDifference].map(
    (operation, index): Case => ({
      name: `${['maximum', 'minimum', 'squaredDifference'][index]}, with gradients`,
      inputs: [floats([3, 4]), floats([3, 4], 2)],
      body: (a, b) => operation(a!, b!),
    }),
  ),
  { name: 'addN', inputs: [1, 2, 3].map(seed => floats([2, 3], seed)), body: (...all) => tf.addN(all) },
  { name: 'prelu', inputs: [floats([3, 4]), floats([4], 2)], body: (x, alpha) => tf.prelu(x!, alpha!) },
  {
    name: 'where',
    inputs: [integers([3, 4], 0, 2), floats([3, 4]), floats([3, 4], 2)],
    body: (condition, a, b) => tf.where(tf.cast(condition!, 'bool'), tf.square(a!), b!),
  },
  {
    name: 'where, broadcast',
    inputs: [integers([4, 1], 0, 2), floats([4, 3]), floats([], 2)],
    body: (condition, a, b) => tf.where(tf.cast(condition!, 'bool'), a!, b!),
    ...forward,
  },
  {
    name: 'integer arithmetic',
    inputs: [integers([6], 1, 20), integers([6], 1, 5, 2)],
    body: (a, b) => [
      tf.add(a!, b!),
      tf.mul(a!, b!),
      tf.sub(a!, b!),
      tf.floorDiv(a!, b!),
      tf.mod(a!, b!),
      tf.maximum(a!, b!),
    ],
    ...forward,
  },
  {
    name: 'batchNorm',
    inputs: [floats([2, 3, 3, 4]), floats([4], 2), floats([4], 3, 0.5), floats([4], 4), floats([4], 5)],
    body: (x, mean, variance, offset, scale) =>
      tf.batchNorm(x!, mean as tf.Tensor1D, variance as tf.Tensor1D, offset as tf.Tensor1D, scale as tf.Tensor1D, 1e-3),
    tolerance: 1e-4,
  },
  {
    name: 'range and linspace',
    inputs: [floats([4])],
    body: x => [tf.mul(x!, tf.range(1, 9, 2)), tf.add(x!, tf.linspace(0, 1, 4))],
  },
  { name: 'fill', inputs: [floats([2, 3])], body: x => tf.mul(x!, tf.fill([2, 3], 4)) },
];

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
// multiples of 16 channels are computed in blocks, with tolerance for another order of summation
for (const [inputs, outputs] of [
  [16, 32],
  [32, 16],
  [1, 16],
  [3, 16],
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
  ['resize', resizes],
  ['elementwise', elementwise],
  ['shape', shapes],
  ['reduction', reductions],
  ['matrix', products],
  ['gather', gathers],
  ['convolution', convolutions],
])('%s kernels, recorded, equal tfjs', (_, cases) => {
  test.each(cases)('$name', async each => {
    const { output, relative } = await compare(each);
    expect(relative, output).toBeLessThanOrEqual(each.tolerance ?? 1e-5);
  });
});
