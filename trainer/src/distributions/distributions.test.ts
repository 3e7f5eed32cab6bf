import { fillNoise } from '@genserve/runtime';
import { describe, expect, it } from 'vitest';
import { tf } from '../trace/tensorflow.js';
import { bernoulliLogProb, bernoulliMean } from './bernoulli.js';
import { gaussianLogProb, klToStandardNormal, reparameterise, standardNormalLogProb } from './gaussian.js';

const logistic = (x: number) => 1 / (1 + Math.exp(-x));

describe('Bernoulli', () => {
  it('gives log sigmoid(logit) for ones and log sigmoid(-logit) for zeros', async () => {
    const logits = tf.tensor([-2, 0.5, 3], [1, 3]);
    const logProb = await bernoulliLogProb(logits, tf.tensor([1, 0, 1], [1, 3])).data();
    expect(logProb[0]).toBeCloseTo(Math.log(logistic(-2)) + Math.log(logistic(-0.5)) + Math.log(logistic(3)), 5);
  });

  it('stays finite where the probability is not representable', async () => {
    const logits = tf.tensor([200, -200], [1, 2]);
    expect((await bernoulliLogProb(logits, tf.tensor([0, 1], [1, 2])).data())[0]).toBeCloseTo(-400, 3);
  });

  it('has the logistic of its logits as mean', async () => {
    expect((await bernoulliMean(tf.tensor([1.5])).data())[0]).toBeCloseTo(logistic(1.5), 6);
  });
});

describe('diagonal Gaussian', () => {
  const mean = [0.7, -1.2, 0];
  const deviation = [0.5, 1.8, 1];
  const gaussian = () => ({ mean: tf.tensor(mean, [1, 3]), logDeviation: tf.tensor(deviation.map(Math.log), [1, 3]) });

  it('has the density of its formula', async () => {
    const x = [0.1, 2, -0.4];
    const expected = x.reduce((sum, value, i) => {
      const z = (value - mean[i]!) / deviation[i]!;
      return sum - 0.5 * z * z - Math.log(deviation[i]! * Math.sqrt(2 * Math.PI));
    }, 0);
    expect((await gaussianLogProb(gaussian(), tf.tensor(x, [1, 3])).data())[0]).toBeCloseTo(expected, 4);
  });

  it('has a KL divergence to N(0, I) that agrees with Monte Carlo within four standard errors', async () => {
    const count = 20_000;
    const epsilon = tf.tensor(fillNoise({ seed: 5, name: 'e', distribution: 'normal', shape: [3], count }), [count, 3]);
    const { mean: mu, logDeviation } = gaussian();
    const tiled = { mean: tf.tile(mu, [count, 1]), logDeviation: tf.tile(logDeviation, [count, 1]) };
    const z = reparameterise(tiled, epsilon);
    const differences = Array.from(await tf.sub(gaussianLogProb(tiled, z), standardNormalLogProb(z)).data());
    const average = differences.reduce((sum, value) => sum + value, 0) / count;
    const variance = differences.reduce((sum, value) => sum + (value - average) ** 2, 0) / (count - 1);
    const closedForm = (await klToStandardNormal(gaussian()).data())[0]!;
    expect(Math.abs(average - closedForm)).toBeLessThan(4 * Math.sqrt(variance / count));
    expect(closedForm).toBeGreaterThan(1);
  });

  it('has no divergence from N(0, I) where it is N(0, I)', async () => {
    const standard = { mean: tf.zeros([2, 3]), logDeviation: tf.zeros([2, 3]) };
    expect([...(await klToStandardNormal(standard).data())]).toEqual([0, 0]);
  });
});
