// The shipped classifiers that samples are measured by: accuracy on all test images, and the minutes that training took.
import { expect, it } from 'vitest';
import { genserve } from '../support/command.js';
import { trainingMinutes } from '../support/provenance.js';
import { record } from '../support/results.js';

it.each([
  ['mnist', 0.99],
  ['fashion-mnist', 0.9],
])('%s-classifier is right as often as its bar asks, after five minutes of training', async (data, bar) => {
  const bundle = `models/${data}-classifier`;
  const evaluate = ['evaluate', bundle, '--data', data, '--metric', 'accuracy'];
  const { metrics, context } = await genserve(evaluate);
  const minutes = trainingMinutes(bundle);
  record(`${data}-classifier`, `genserve ${evaluate.join(' ')}`, { ...metrics, training_minutes: minutes }, context);
  expect(metrics.accuracy).toBeGreaterThanOrEqual(bar);
  expect(minutes).toBeLessThanOrEqual(5);
});
