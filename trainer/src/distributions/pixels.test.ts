import { fillNoise, type ImageDomain } from '@genserve/runtime';
import { describe, expect, it } from 'vitest';
import { tf } from '../trace/tensorflow.js';
import { discretisedLogisticLogProbMap } from './discretised-logistic.js';
import { type LikelihoodName, pixelLikelihood } from './pixels.js';

const image = (levels: number): ImageDomain => ({
  height: 1,
  width: 1,
  channels: 1,
  levels,
  binarisation: 'none',
  polarity: 'light-on-dark',
  labels: [],
});

/** log p of every level for parameters drawn by seed, and the mean that is claimed. */
async function tabulate(name: LikelihoodName, levels: number, seed: number) {
  const likelihood = pixelLikelihood(name, image(levels));
  const count = likelihood.parametersPerChannel;
  const values = fillNoise({ seed, name: 'parameters', distribution: 'normal', shape: [count] }).map(v => 2 * v);
  const parameters = tf.tile(tf.tensor(values, [1, 1, 1, count]), [levels, 1, 1, 1]);
  const x = Float32Array.from({ length: levels }, (_, level) => level / (levels - 1));
  const logProb = await likelihood.logProbMap(parameters, tf.tensor(x, [levels, 1, 1, 1])).data();
  return { x, probabilities: Array.from(logProb, Math.exp), mean: (await likelihood.mean(parameters).data())[0]! };
}

describe.each([
  ['bernoulli', 2],
  ['discretised-logistic', 5],
  ['discretised-logistic', 256],
  ['categorical-256', 256],
] as const)('%s over %i levels', (name, levels) => {
  it.each([1, 2, 3])('sums to 1 (parameters %i)', async seed => {
    const { probabilities } = await tabulate(name, levels, seed);
    expect(probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 4);
  });
});

describe.each(['bernoulli', 'categorical-256'] as const)('%s', name => {
  it('has the mean of its own distribution', async () => {
    const { x, probabilities, mean } = await tabulate(name, name === 'bernoulli' ? 2 : 256, 4);
    expect(mean).toBeCloseTo(
      x.reduce((sum, value, i) => sum + value * probabilities[i]!, 0),
      4,
    );
  });
});

describe('discretised logistic', () => {
  it('has the mass between the edges of a bin, by the logistic function in float64', async () => {
    const [mean, logScale] = [0.4, -2.1];
    const levels = 16;
    const cdf = (x: number) => 1 / (1 + Math.exp(-(x - mean) / Math.exp(logScale)));
    const x = Array.from({ length: levels }, (_, k) => k / 15);
    const found = await discretisedLogisticLogProbMap(
      tf.fill([levels], mean),
      tf.fill([levels], logScale),
      tf.tensor(x),
      levels,
    ).data();
    x.forEach((value, k) => {
      const above = k === 15 ? 1 : cdf(value + 1 / 30);
      const below = k === 0 ? 0 : cdf(value - 1 / 30);
      expect(found[k]).toBeCloseTo(Math.log(above - below), 4);
    });
  });

  it('stays finite far from its mean, where the difference of two sigmoids is 0', async () => {
    const found = await discretisedLogisticLogProbMap(tf.scalar(0), tf.scalar(-7), tf.scalar(0.6), 256).data();
    expect(found[0]).toBeGreaterThan(-1000);
    expect(found[0]).toBeLessThan(-500);
  });
});

describe('gaussian', () => {
  it('gives quantised images the density times the width of a bin', async () => {
    const likelihood = pixelLikelihood('gaussian', image(256));
    const parameters = tf.tensor([0.3, -1], [1, 1, 1, 2]);
    const [mean, deviation] = [1 / (1 + Math.exp(-0.3)), Math.exp(-1)];
    const found = (await likelihood.logProbMap(parameters, tf.tensor([0.2], [1, 1, 1, 1])).data())[0]!;
    const density = Math.exp(-0.5 * ((0.2 - mean) / deviation) ** 2) / (deviation * Math.sqrt(2 * Math.PI));
    expect(found).toBeCloseTo(Math.log(density / 255), 4);
  });
});

describe('a likelihood', () => {
  it.each([
    ['bernoulli', 256],
    ['discretised-logistic', 0],
    ['categorical-256', 16],
  ] as const)('%s refuses images of %i levels', (name, levels) => {
    expect(() => pixelLikelihood(name, image(levels))).toThrowError(/configuration\.likelihood/);
  });
});
