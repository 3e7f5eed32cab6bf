import { fillNoise } from '@genserve/runtime';
import { beforeAll, describe, expect, it } from 'vitest';
import { compiledEngine } from '../engine/compiled.js';
import { leakyRelu, tanh } from '../nn/activations.js';
import { dense } from '../nn/dense.js';
import { fanInNormal } from '../nn/initialisers.js';
import { Scope } from '../nn/variable.js';
import { compare, floats } from '../testing/agreement.js';
import { tf } from '../trace/tensorflow.js';
import { initialState } from '../train/initial-state.js';
import { trainingSettings } from '../train/settings.js';
import { stepProgram } from '../train/step-program.js';
import { gradientPenalty } from './gradient-penalty.js';
import { wassersteinLoss } from './losses.js';

const tensor = (shape: number[], seed: number, low = -1, high = 1) =>
  tf.tensor(floats(shape, seed, low, high).data, shape);
const value = (x: tf.Tensor) => x.dataSync()[0]!;

describe('the gradient penalty', () => {
  const [real, fake] = [tensor([5, 2], 1), tensor([5, 2], 2)];
  const interpolation = tensor([5], 3, 0, 1);
  const linear = (slope: readonly number[]) => (x: tf.Tensor) => tf.sum(tf.mul(x, tf.tensor1d([...slope])), 1);

  it.each([
    [[3, 4], 16, 16],
    [[0.3, 0.4], 0.25, 0],
  ])('of a linear critic of slope %j is (|slope| - 1)^2 = %d from both sides, %d from one', (slope, two, one) => {
    for (const [sides, expected] of [
      ['two', two],
      ['one', one],
    ] as const) {
      const { penalty, gradientNorm } = gradientPenalty({ critic: linear(slope), real, fake, interpolation, sides });
      expect(value(penalty)).toBeCloseTo(expected, 4);
      expect(value(gradientNorm)).toBeCloseTo(Math.hypot(...slope), 5);
    }
  });

  it('takes the gradient between each real row and its own generated one', () => {
    // D(x) = |x|^2 / 2 has the gradient x: the mean norm tells where it was taken.
    const critic = (x: tf.Tensor) => tf.mul(0.5, tf.sum(tf.square(x), 1));
    const { gradientNorm } = gradientPenalty({ critic, real, fake, interpolation, sides: 'two' });
    const [a, b, t] = [real, fake, interpolation].map(x => x.dataSync()) as [Float32Array, Float32Array, Float32Array];
    const norms = Array.from(t, (share, row) =>
      Math.hypot(...[0, 1].map(i => a[2 * row + i]! + share * (b[2 * row + i]! - a[2 * row + i]!))),
    );
    expect(value(gradientNorm)).toBeCloseTo(norms.reduce((sum, norm) => sum + norm) / 5, 5);
  });

  it('of a critic that is flat has a derivative: the square root is kept from 0', () => {
    const slope = (weights: tf.Tensor) => {
      const critic = (x: tf.Tensor) => tf.sum(tf.mul(x, weights), 1);
      return gradientPenalty({ critic, real, fake, interpolation, sides: 'two' }).penalty as tf.Scalar;
    };
    const gradient = tf
      .grad(slope)(tf.zeros([2]))
      .dataSync();
    expect([...gradient].every(Number.isFinite)).toBe(true);
  });
});

/** A convolutional critic with all that critics are made of: strides, leaky rectifiers, tanh, a dense layer. */
function critic(filter: tf.Tensor, second: tf.Tensor, kernel: tf.Tensor) {
  return (x: tf.Tensor): tf.Tensor => {
    const first = leakyRelu(tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 2, 'same'));
    const maps = tanh(tf.conv2d(first as tf.Tensor4D, second as tf.Tensor4D, 2, 'same'));
    return tf.squeeze(tf.matMul(tf.reshape(maps, [-1, 12]), kernel as tf.Tensor2D), [1]);
  };
}

describe('second-order gradients of a convolutional critic', () => {
  const shapes = [
    [3, 3, 2, 3],
    [3, 3, 3, 3],
    [12, 1],
  ];
  const [real, fake, interpolation] = [floats([2, 7, 5, 2], 1), floats([2, 7, 5, 2], 2), floats([2], 3, 0, 1)];
  const penalty = (...weights: tf.Tensor[]) =>
    gradientPenalty({
      critic: critic(weights[0]!, weights[1]!, weights[2]!),
      real: tf.tensor(real.data, [2, 7, 5, 2]),
      fake: tf.tensor(fake.data, [2, 7, 5, 2]),
      interpolation: tf.tensor(interpolation.data, [2]),
      sides: 'two',
    }).penalty as tf.Scalar;

  it('agree with finite differences', () => {
    const weights = shapes.map((shape, index) => floats(shape, 10 + index, -0.8, 0.8).data as Float32Array);
    const at = (moved: readonly Float32Array[]) =>
      value(penalty(...moved.map((data, index) => tf.tensor(data, shapes[index]!))));
    const gradients = tf.grads(penalty)(weights.map((data, index) => tf.tensor(data, shapes[index]!)));
    const step = 2e-3;
    for (const [index, gradient] of gradients.entries()) {
      const analytic = gradient.dataSync();
      const greatest = Math.max(...analytic.map(Math.abs));
      expect(greatest).toBeGreaterThan(1e-3);
      for (let element = 0; element < analytic.length; element += 5) {
        const moved = (by: number) =>
          weights.map((data, i) => (i === index ? data.map((w, j) => (j === element ? w + by : w)) : data));
        const numeric = (at(moved(step)) - at(moved(-step))) / (2 * step);
        expect(Math.abs(numeric - analytic[element]!)).toBeLessThan(0.02 * greatest + 1e-3);
      }
    }
  });

  it('are the same compiled', async () => {
    const inputs = shapes.map((shape, index) => floats(shape, 10 + index, -0.8, 0.8));
    const difference = await compare({ name: 'penalty', inputs, body: penalty, tolerance: 1e-4 });
    expect(difference.relative).toBeLessThan(1e-4);
  });
});

/**
 * Generated rows are uniform on a unit cube, real ones the same moved by `shift`, so that W1 = |shift| = d. The best critic under the penalty climbs
 * along the shift with a slope s that maximises s d - lambda (s - 1)^2: s = 1 + d / (2 lambda).
 */
describe.each([
  { dimensions: 1, shift: [0.6], sides: 'one' },
  { dimensions: 2, shift: [0.36, -0.48], sides: 'one' },
  { dimensions: 2, shift: [0.36, -0.48], sides: 'two' },
  // On a line a critic cannot turn: from both sides, one that starts downhill stays so.
  { dimensions: 1, shift: [0.6], sides: 'two', seed: 2 },
] as const)('the best critic in $dimensions dimension(s), penalised from $sides side(s)', options => {
  const { dimensions, shift, sides } = options;
  const BATCH = 64;
  const LAMBDA = 10;
  const distance = Math.hypot(...shift);
  const last: { distance: number; norm: number }[] = [];

  beforeAll(async () => {
    const scope = new Scope();
    // Flat at first.
    const layers = [dimensions, 32, 32].map((inputs, index) =>
      dense(scope.child(`dense${index}`), {
        ...{ inputs, outputs: [32, 32, 1][index]! },
        kernel: fanInNormal(inputs, index < 2 ? Math.SQRT2 : 0.01),
      }),
    );
    const D = (x: tf.Tensor) =>
      tf.squeeze(
        layers.reduce((y, connect, index) => (index < 2 ? leakyRelu(connect(y)) : connect(y)), x),
        [1],
      );
    const settings = trainingSettings.parse({
      batch: BATCH,
      optimiser: { name: 'adam', learningRate: 2e-3, beta1: 0.5, beta2: 0.9 },
      parameterAverage: 0,
    });
    const noises = [
      { name: 'base', distribution: 'uniform', shape: [dimensions] },
      { name: 'interpolation', distribution: 'uniform', shape: [] },
    ] as const;
    const { program, scalars } = stepProgram(
      {
        name: 'critic',
        parameters: scope.variables(),
        noises,
        loss({ noise }) {
          const fake = noise.base!;
          const real = tf.add(fake, tf.tensor1d([...shift]));
          const difference = wassersteinLoss(D(real), D(fake));
          const { penalty, gradientNorm } = gradientPenalty({
            ...{ critic: D, real, fake, interpolation: noise.interpolation!, sides },
          });
          return {
            loss: tf.add(difference, tf.mul(LAMBDA, penalty)),
            metrics: { distance: tf.neg(difference), norm: gradientNorm },
          };
        },
      },
      scope.variables(),
      [dimensions],
      settings,
    );
    const executable = await compiledEngine({ threads: 1 }).compile(program, BATCH);
    const state = initialState(program.state, 'seed' in options ? options.seed : 1);
    const steps = 500;
    for (let step = 0; step < steps; step++) {
      const draw = ({ name, distribution, shape }: (typeof noises)[number]) =>
        fillNoise({ ...{ seed: 1, name, distribution, shape, count: BATCH }, draw: step });
      const outputs = await executable.run(
        {
          data: { dtype: 'float32', shape: [BATCH, dimensions], data: new Float32Array(BATCH * dimensions) },
          'critic/base': { dtype: 'float32', shape: [BATCH, dimensions], data: draw(noises[0]) },
          'critic/interpolation': { dtype: 'float32', shape: [BATCH], data: draw(noises[1]) },
          ...scalars(step + 1, step, 2e-3 * (1 - step / steps)),
        },
        state,
      );
      if (step >= steps - 50) last.push({ distance: outputs.distance!.data[0]!, norm: outputs.norm!.data[0]! });
    }
    await executable.close();
  });

  const mean = (values: readonly number[]) => values.reduce((sum, each) => sum + each, 0) / values.length;

  it('has gradients of mean norm 1 +- 0.05: 1 + d / (2 lambda)', () => {
    const norm = mean(last.map(each => each.norm));
    expect(Math.abs(norm - 1)).toBeLessThan(0.05);
    expect(norm).toBeCloseTo(1 + distance / (2 * LAMBDA), 1.5);
  });

  it('measures the Wasserstein distance', () => {
    expect(mean(last.map(each => each.distance)) / distance).toBeCloseTo(1 + distance / (2 * LAMBDA), 1);
  });
});
