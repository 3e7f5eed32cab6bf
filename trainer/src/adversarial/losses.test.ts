import { describe, expect, it } from 'vitest';
import { tf } from '../trace/tensorflow.js';
import { discriminatorLoss, generatorLoss, isCorrect, labelLoss, wassersteinLoss } from './losses.js';

const value = (tensor: tf.Tensor) => tensor.dataSync()[0]!;
const probability = (logit: number) => 1 / (1 + Math.exp(-logit));
const mean = (values: readonly number[]) => values.reduce((sum, each) => sum + each, 0) / values.length;
const [real, fake] = [
  [1.5, -0.3, 2],
  [-1, 0.4],
];

describe('the game of real and generated', () => {
  it('is the cross-entropy of its probabilities', () => {
    const expected =
      mean(real.map(logit => -Math.log(probability(logit)))) +
      mean(fake.map(logit => -Math.log(1 - probability(logit))));
    expect(value(discriminatorLoss(tf.tensor(real), tf.tensor(fake)))).toBeCloseTo(expected, 5);
    expect(value(generatorLoss(tf.tensor(fake)))).toBeCloseTo(
      mean(fake.map(logit => -Math.log(probability(logit)))),
      5,
    );
  });

  it('smooths the target of real pictures alone', () => {
    const smooth = (logit: number) => -0.9 * Math.log(probability(logit)) - 0.1 * Math.log(1 - probability(logit));
    const expected = mean(real.map(smooth)) + mean(fake.map(logit => -Math.log(1 - probability(logit))));
    expect(value(discriminatorLoss(tf.tensor(real), tf.tensor(fake), 0.1))).toBeCloseTo(expected, 5);
  });

  it('takes logits: sure verdicts neither overflow nor lose their gradient', () => {
    const sure = tf.tensor1d([-200]);
    expect(value(discriminatorLoss(sure, tf.neg(sure)))).toBeCloseTo(400, 3);
    expect(value(tf.grad(generatorLoss)(sure))).toBeCloseTo(-1, 6);
  });

  it('of a Wasserstein critic is the difference of two means', () => {
    expect(value(wassersteinLoss(tf.tensor(real), tf.tensor(fake)))).toBeCloseTo(mean(fake) - mean(real), 5);
  });
});

describe('the loss of a label', () => {
  const logits = tf.tensor2d([
    [3, 0, -1],
    [0, 1, 5],
    [2, 2, 2],
  ]);

  it('is one softmax of the logits and its cross-entropy: not a softmax of a softmax', () => {
    const row = (values: readonly number[], label: number) =>
      Math.log(values.reduce((sum, each) => sum + Math.exp(each), 0)) - values[label]!;
    const expected = mean([row([3, 0, -1], 0), row([0, 1, 5], 1), row([2, 2, 2], 2)]);
    expect(value(labelLoss(logits, tf.tensor1d([0, 1, 2], 'int32')))).toBeCloseTo(expected, 5);
    // A confident answer costs nothing; through a second softmax it would cost at least log(1 + 2/e) = 0.55.
    expect(value(labelLoss(tf.tensor2d([[100, 0, 0]]), tf.tensor1d([0], 'int32')))).toBeLessThan(1e-6);
  });

  it('leaves rows without a label out of the mean, and is 0 where no row has one', () => {
    const some = value(labelLoss(logits, tf.tensor1d([-1, 1, -1], 'int32')));
    expect(some).toBeCloseTo(Math.log(1 + Math.E + Math.exp(5)) - 1, 4);
    expect(value(labelLoss(logits, tf.tensor1d([-1, -1, -1], 'int32')))).toBeCloseTo(0, 9);
  });

  it('goes with an accuracy', () => {
    expect([...isCorrect(logits, tf.tensor1d([0, 1, 0], 'int32')).dataSync()]).toEqual([1, 0, 1]);
  });
});
