// Batch normalisation against tfjs' own layer (tf.layers), which shares no code with ours.
import { afterEach, describe, expect, it } from 'vitest';
import { floats } from '../testing/agreement.js';
import { onBackend, tf } from '../trace/tensorflow.js';
import { batchNorm } from './batch-norm.js';
import { normal } from './initialisers.js';
import { Scope } from './variable.js';

const CHANNELS = 3;
const DECAY = 0.9;
const tensor = (shape: number[], seed: number, low = -2, high = 2) =>
  tf.tensor(floats(shape, seed, low, high).data, shape);

/** Our layer and tfjs', at the same gain, offset and running statistics. */
function twins() {
  const scope = new Scope();
  const ours = batchNorm(scope, { channels: CHANNELS, decay: DECAY, gain: normal(1) });
  const values = {
    gain: tensor([CHANNELS], 1, 0.5, 1.5),
    offset: tensor([CHANNELS], 2),
    mean: tensor([CHANNELS], 3),
    variance: tensor([CHANNELS], 4, 0.2, 2),
    count: tf.tensor1d([1e6]),
  };
  const variable = Object.fromEntries(scope.variables().map(each => [each.name, each]));
  for (const [name, value] of Object.entries(values)) variable[name]!.bind(value);
  const theirs = tf.layers.batchNormalization({ epsilon: 1e-5, momentum: DECAY });
  theirs.build([null, 2, 3, CHANNELS]);
  theirs.setWeights([values.gain, values.offset, values.mean, values.variance]);
  const apply = (x: tf.Tensor, training: boolean) => theirs.apply(x, { training }) as tf.Tensor; // one input, one output
  return { ours, theirs: apply, values, variable };
}

function greatestDifference(a: tf.Tensor, b: tf.Tensor): number {
  expect(a.shape).toEqual(b.shape);
  return tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]!;
}

afterEach(() => tf.disposeVariables());

describe('batch normalisation', () => {
  it('in training agrees with tfjs: values, and derivatives through the statistics of the batch', () => {
    onBackend('cpu', () => {
      const { ours, theirs } = twins();
      const x = tensor([4, 2, 3, CHANNELS], 5);
      const weights = tensor([4, 2, 3, CHANNELS], 6);
      for (const mode of ['train', 'batch'] as const)
        expect(greatestDifference(ours(x, mode), theirs(x, true))).toBeLessThan(1e-5);
      const slope = (layer: (x: tf.Tensor) => tf.Tensor) => tf.grad(y => tf.sum(tf.mul(layer(y), weights)))(x);
      expect(
        greatestDifference(
          slope(y => ours(y, 'batch')),
          slope(y => theirs(y, true)),
        ),
      ).toBeLessThan(1e-5);
    });
  });

  it('in serving agrees with tfjs at the same running statistics', () => {
    onBackend('cpu', () => {
      const { ours, theirs } = twins();
      const x = tensor([4, 2, 3, CHANNELS], 5);
      expect(greatestDifference(ours(x, 'serve'), theirs(x, false))).toBeLessThan(1e-5);
    });
  });

  it('adds 1e-5 to the variance: neither a decay nor a momentum has taken its place', () => {
    onBackend('cpu', () => {
      const { ours, variable } = twins();
      const still = tf.fill([8, CHANNELS], 3);
      variable.gain!.bind(tf.ones([CHANNELS]));
      variable.variance!.bind(tf.zeros([CHANNELS]));
      const served = tf.sub(ours(tf.add(still, 1), 'serve'), ours(still, 'serve')).dataSync();
      for (const step of served) expect(step).toBeCloseTo(1 / Math.sqrt(1e-5), 0);
    });
  });

  it('keeps running statistics when its own network is trained, as tfjs does but for the unbiased variance', () => {
    onBackend('cpu', () => {
      const { ours, values, variable } = twins();
      const x = tensor([6, CHANNELS], 7);
      const { mean, variance } = tf.moments(x, 0);
      ours(x, 'batch');
      expect(variable.mean!.value).toBe(values.mean);
      ours(x, 'train');
      const moved = (before: tf.Tensor, now: tf.Tensor) => tf.add(tf.mul(before, DECAY), tf.mul(now, 1 - DECAY));
      expect(greatestDifference(variable.mean!.value, moved(values.mean, mean))).toBeLessThan(1e-5);
      const unbiased = tf.mul(variance, 6 / 5);
      expect(greatestDifference(variable.variance!.value, moved(values.variance, unbiased))).toBeLessThan(1e-5);
    });
  });

  it('takes real and generated pictures as two batches, not one', () => {
    onBackend('cpu', () => {
      const { ours } = twins();
      const [real, fake] = [tensor([4, CHANNELS], 8, 0, 1), tensor([4, CHANNELS], 9, 5, 6)];
      const apart = tf.concat([ours(real, 'batch'), ours(fake, 'batch')]);
      const together = ours(tf.concat([real, fake]), 'batch');
      expect(greatestDifference(apart, together)).toBeGreaterThan(0.5);
    });
  });
});
