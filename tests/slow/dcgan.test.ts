// The shipped DCGAN, judged by the shipped classifier of MNIST: 10,000 samples that nothing was chosen by.
import { expect, it } from 'vitest';
import { genserve } from '../support/command.js';
import { trainingMinutes } from '../support/provenance.js';
import { record } from '../support/results.js';

it('draws every digit, and each so that the classifier is sure, after half an hour', async () => {
  const measures = ['--metric', 'samples', '--classifier', 'models/mnist-classifier', '--seed', '1'];
  const evaluate = ['evaluate', 'models/mnist-dcgan', '--data', 'mnist', ...measures];
  const { metrics, context } = await genserve(evaluate);
  const minutes = trainingMinutes('models/mnist-dcgan');
  record('mnist-dcgan', `genserve ${evaluate.join(' ')}`, { ...metrics, training_minutes: minutes }, context);
  expect(metrics.classifier_score).toBeGreaterThanOrEqual(9);
  expect(metrics.smallest_class_share).toBeGreaterThanOrEqual(0.05);
  expect(minutes).toBeLessThanOrEqual(30);
});
