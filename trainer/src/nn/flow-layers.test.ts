// What must hold for every layer of a flow: its log-determinant is that of its Jacobian, and its inverse takes it back.
import { float32 } from '@genserve/runtime';
import { describe, expect, test } from 'vitest';
import type { State } from '../engine/program.js';
import { averagingRate } from '../optim/average.js';
import { evaluate, greatestDifference, movedState, normals, numericalLogDeterminant } from '../testing/flows.js';
import { tf } from '../trace/tensorflow.js';
import { initialState } from '../train/initial-state.js';
import { actnorm } from './actnorm.js';
import { affineCoupling } from './affine-coupling.js';
import { flowBatchNorm } from './flow-batch-norm.js';
import { chain, type FlowLayer, reversal } from './flow-layer.js';
import { invertibleMatrix, mixing } from './invertible-convolution.js';
import { randomRotation, triangularFactors } from './linear-algebra.js';
import { maskedAffine } from './masked-affine.js';
import { squeeze, unsqueeze } from './squeeze.js';
import { Scope, type Variable } from './variable.js';

interface Case {
  readonly name: string;
  /** Of one row. */
  readonly shape: readonly number[];
  readonly build: (scope: Scope) => FlowLayer;
}

const mixed = (scope: Scope, channels: number) =>
  mixing(actnorm(scope.child('actnorm'), channels), invertibleMatrix(scope.child('mix'), channels));
const image = [2, 3, 4];
const vector = [6];
const cases: Case[] = [
  { name: 'actnorm and invertible 1x1 convolution', shape: image, build: scope => mixed(scope, 4) },
  { name: 'affine coupling', shape: image, build: scope => affineCoupling(scope, { channels: 4, width: 5 }) },
  { name: 'a step of flow', shape: image, build: scope => chain([mixed(scope, 4), coupling(scope)]) },
  { name: 'batch normalisation', shape: vector, build: scope => flowBatchNorm(scope, { dimensions: 6, decay: 0.9 }) },
  { name: 'reversal', shape: vector, build: () => reversal },
  {
    name: 'masked affine, one hidden layer',
    shape: vector,
    build: scope => maskedAffine(scope, { dimensions: 6, hidden: [20], blocks: 3 }),
  },
  {
    name: 'masked affine, two hidden layers narrower than the data',
    shape: vector,
    build: scope => maskedAffine(scope, { dimensions: 6, hidden: [5, 4], blocks: 4 }),
  },
];
function coupling(scope: Scope) {
  return affineCoupling(scope.child('coupling'), { channels: 4, width: 5 });
}

/** A layer at parameters and running statistics that are nowhere special. */
function built({ build }: Case) {
  const scope = new Scope();
  const layer = build(scope);
  const variables = scope.variables();
  const state = movedState(variables, 0.3);
  for (const { name, shape } of variables) {
    if (name.endsWith('variance')) state.set(name, normals(name, shape).map(Math.exp));
    if (name.endsWith('mean')) state.set(name, normals(name, shape));
  }
  return { layer, variables, state };
}

const forward = (layer: FlowLayer) => (x: tf.Tensor) => {
  const { y, logDeterminant } = layer.forward(x, 'serve');
  return { y, logDeterminant };
};

describe.each(cases)('$name', each => {
  const { layer, variables, state } = built(each);
  const row = (seed: number) => float32([1, ...each.shape], normals('x', each.shape, seed));

  test.each([1, 2, 3])('has the log-determinant of its Jacobian at point %i', async seed => {
    const { logDeterminant } = await evaluate(variables, state, row(seed), forward(layer));
    const numerical = await numericalLogDeterminant(
      async rows => (await evaluate(variables, state, rows, forward(layer))).y!,
      row(seed),
    );
    expect(Math.abs(logDeterminant!.data[0]! - numerical)).toBeLessThan(5e-3);
  });

  test('is taken back by its inverse', async () => {
    const x = float32([5, ...each.shape], normals('x', [5, ...each.shape], 4));
    const { back } = await evaluate(variables, state, x, rows => ({
      back: layer.inverse(layer.forward(rows, 'serve').y),
    }));
    expect(greatestDifference(back!.data, x.data)).toBeLessThan(1e-5);
  });
});

describe('an affine coupling', () => {
  test('scales by the data: it is not the additive coupling of NICE', async () => {
    const { layer, variables, state } = built({ ...cases[1]!, build: coupling });
    const x = float32([2, ...image], normals('x', [2, ...image]));
    const { logDeterminant } = await evaluate(variables, state, x, forward(layer));
    expect(Math.abs(logDeterminant!.data[0]! - logDeterminant!.data[1]!)).toBeGreaterThan(0.1);
  });

  test('starts as one scale of sigmoid(2) for all: its last convolution is zero', async () => {
    const scope = new Scope();
    const layer = coupling(scope);
    const x = float32([1, ...image], normals('x', image));
    const { y } = await evaluate(scope.variables(), initialState(scope.variables(), 1), x, forward(layer));
    x.data.forEach((value, i) => {
      expect(y!.data[i]).toBeCloseTo(i % 4 < 2 ? value : value / (1 + Math.exp(-2)), 5);
    });
  });
});

describe('layers far from the data that they were trained on', () => {
  test('scale by no less than sigmoid(-3) in a coupling', async () => {
    const { layer, variables, state } = built({ ...cases[1]!, build: coupling });
    const x = float32(
      [20, ...image],
      normals('x', [20, ...image]).map(value => 1000 * value),
    );
    const { logDeterminant } = await evaluate(variables, state, x, forward(layer));
    // Half of 2 x 3 x 4 elements are scaled.
    const least = -12 * Math.log(1 + Math.exp(3));
    expect(Math.min(...logDeterminant!.data)).toBeGreaterThan(least - 1e-3);
    expect(Math.min(...logDeterminant!.data)).toBeLessThan(least / 2);
  });

  test('scale by no more than exp(5) in a masked affine layer', async () => {
    const { layer, variables, state } = built(cases[5]!);
    const x = float32(
      [20, ...vector],
      normals('x', [20, ...vector]).map(value => 1000 * value),
    );
    const { logDeterminant } = await evaluate(variables, state, x, forward(layer));
    const greatest = Math.max(...logDeterminant!.data.map(Math.abs));
    expect(greatest).toBeLessThanOrEqual(6 * 5);
    expect(greatest).toBeGreaterThan(10);
  });
});

describe('data-dependent initialisation', () => {
  test('gives the activations of every actnorm mean 0 and variance 1, within and between steps', async () => {
    const scope = new Scope();
    const steps = [1, 2].map(number => {
      const own = scope.child(`step${number}`);
      return chain([mixed(own, 4), coupling(own)]);
    });
    const variables = scope.variables();
    const state: State = initialState(variables, 1);
    const x = float32(
      [40, 4, 4, 4],
      normals('x', [40, 4, 4, 4]).map(value => 7 * value - 3),
    );
    await evaluate(variables, state, x, rows => {
      chain(steps).forward(rows, 'initialise');
      return {};
    });
    const value = (name: string) => state.get(name)!;
    const normalised = await evaluate(variables, state, x, rows => {
      const results: Record<string, tf.Tensor> = {};
      let h = rows;
      for (const [index, step] of steps.entries()) {
        const bias = variable(variables, `step${index + 1}/actnorm/bias`);
        const logScale = variable(variables, `step${index + 1}/actnorm/log_scale`);
        results[`step${index + 1}`] = tf.mul(tf.add(h, bias), tf.exp(tf.mul(3, logScale)));
        h = step.forward(h, 'serve').y;
      }
      return results;
    });
    for (const { data } of Object.values(normalised)) {
      for (let channel = 0; channel < 4; channel++) {
        const own = Array.from(data).filter((_, i) => i % 4 === channel);
        const mean = own.reduce((sum, each) => sum + each, 0) / own.length;
        const variance = own.reduce((sum, each) => sum + (each - mean) ** 2, 0) / own.length;
        expect(mean).toBeCloseTo(0, 3);
        expect(variance).toBeCloseTo(1, 3);
      }
    }
    expect(value('step1/coupling/actnorm1/log_scale').some(each => each !== 0)).toBe(true);
    expect(value('step1/coupling/actnorm2/log_scale').some(each => each !== 0)).toBe(true);
  });
});

function variable(variables: readonly Variable[], name: string): tf.Tensor {
  return variables.find(each => each.name === name)!.value;
}

describe('the invertible 1x1 convolution', () => {
  test.each([3, 4, 8])('starts as a rotation of %i channels', async channels => {
    const scope = new Scope();
    const matrix = invertibleMatrix(scope, channels);
    const state = initialState(scope.variables(), 5);
    const x = float32([1], [0]);
    const { gram, logDeterminant } = await evaluate(scope.variables(), state, x, () => ({
      gram: tf.matMul(matrix.weight(), matrix.weight(), true, false),
      logDeterminant: matrix.logDeterminant(),
    }));
    const identity = Float32Array.from({ length: channels ** 2 }, (_, i) => Number(i % (channels + 1) === 0));
    expect(greatestDifference(gram!.data, identity)).toBeLessThan(1e-5);
    expect(logDeterminant!.data[0]).toBeCloseTo(0, 5);
  });

  test('has factors that multiply to what was factored', () => {
    const n = 5;
    const matrix = randomRotation(normals('rotation', [n, n]), n);
    const { permutation, lower, upper } = triangularFactors(matrix, n);
    const product = multiply(permutation, multiply(lower, upper, n), n);
    expect(greatestDifference(product, matrix)).toBeLessThan(1e-12);
  });
});

function multiply(a: Float64Array, b: Float64Array, n: number): Float64Array {
  return Float64Array.from({ length: n * n }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < n; k++) sum += a[Math.floor(i / n) * n + k]! * b[k * n + (i % n)]!;
    return sum;
  });
}

describe('squeeze', () => {
  test('orders channels by (channel, row, column) and is undone by unsqueeze', async () => {
    const x = tf.tensor(
      Float32Array.from({ length: 16 }, (_, i) => i),
      [1, 2, 4, 2],
    );
    // The left block of 2x2: elements (row, column, channel) are 0 1 2 3 / 8 9 10 11.
    expect([...(await squeeze(x).data()).subarray(0, 8)]).toEqual([0, 2, 8, 10, 1, 3, 9, 11]);
    expect([...(await unsqueeze(squeeze(x)).data())]).toEqual([...(await x.data())]);
  });
});

describe('batch normalisation in a flow', () => {
  const scope = new Scope();
  const layer = flowBatchNorm(scope, { dimensions: 2, decay: 0.9 });
  const batch = (seed: number) =>
    float32(
      [50, 2],
      normals('batch', [50, 2], seed).map(value => 3 * value + 1),
    );
  const train = (rows: tf.Tensor) => {
    const { y, logDeterminant } = layer.forward(rows, 'train');
    return { y, logDeterminant };
  };

  test('takes mean and variance, and its Jacobian, from the batch it is trained on', async () => {
    const { y, logDeterminant } = await evaluate(
      scope.variables(),
      initialState(scope.variables(), 1),
      batch(1),
      train,
    );
    const columns = [0, 1].map(column => Array.from(batch(1).data).filter((_, i) => i % 2 === column));
    const variances = columns.map(values => {
      const mean = values.reduce((sum, value) => sum + value, 0) / 50;
      return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 50;
    });
    const expected = variances.reduce((sum, variance) => sum - 0.5 * Math.log(variance + 1e-5), 0);
    expect(logDeterminant!.data[0]).toBeCloseTo(expected, 4);
    expect(Array.from(y!.data).reduce((sum, value) => sum + value ** 2, 0)).toBeCloseTo(100, 1);
  });

  test('serves with the statistics of all that it was trained on, remembered as the averaged parameters are', async () => {
    const state = initialState(scope.variables(), 1);
    for (const seed of [1, 2, 3, 4]) await evaluate(scope.variables(), state, batch(seed), train);
    let [mean, variance] = [0, 1];
    [1, 2, 3, 4].forEach((seed, index) => {
      const own = Array.from(batch(seed).data).filter((_, i) => i % 2 === 0);
      const centre = own.reduce((sum, value) => sum + value, 0) / 50;
      const spread = own.reduce((sum, value) => sum + (value - centre) ** 2, 0) / 49;
      const rate = averagingRate(0.9, index + 1);
      mean += rate * (centre - mean);
      variance += rate * (spread - variance);
    });
    expect(state.get('mean')![0]).toBeCloseTo(mean, 4);
    expect(state.get('variance')![0]).toBeCloseTo(variance, 3);
    expect(mean).toBeGreaterThan(0.5);
    expect(variance).toBeGreaterThan(5);
  });
});
