// Elementwise kernels against tfjs's own cpu backend: values, and gradients where tfjs has them.
import { describe, expect, test } from 'vitest';
import { type Case, compare, floats, integers } from '../testing/agreement.js';
import { tf } from './tensorflow.js';

const forward = { gradients: false };
type T = tf.Tensor;

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

describe.each([['elementwise', elementwise]])('%s kernels, recorded, equal tfjs', (_, cases) => {
  test.each(cases)('$name', async each => {
    const { output, relative } = await compare(each);
    expect(relative, output).toBeLessThanOrEqual(each.tolerance ?? 1e-5);
  });
});
