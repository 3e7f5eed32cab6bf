// The shipped AC-GAN: whether its digits are what they are told to be, teach a classifier what real ones do, and are as
// different from each other within a class.
import { expect, it } from 'vitest';
import { genserve } from '../support/command.js';
import { trainingMinutes } from '../support/provenance.js';
import { record } from '../support/results.js';

it('draws the digit that it is told, as variously as people write it, after three quarters of an hour', async () => {
  const measures = ['--metric', 'samples', '--classifier', 'models/mnist-classifier', '--gan-train', '--seed', '1'];
  const sheets = ['--out', 'docs/results/mnist-ac-gan'];
  const evaluate = ['evaluate', 'models/mnist-ac-gan', '--data', 'mnist', ...measures, ...sheets];
  const { metrics, context } = await genserve(evaluate);
  const excesses = Array.from({ length: 10 }, (_, digit) => excess(metrics, `ms_ssim.${digit}`));
  const figures = {
    ...metrics,
    ms_ssim_above_real: excess(metrics, 'ms_ssim'),
    ms_ssim_above_real_greatest: Math.max(...excesses),
    training_minutes: trainingMinutes('models/mnist-ac-gan'),
  };
  record('mnist-ac-gan', `genserve ${evaluate.join(' ')}`, figures, context);
  expect(metrics.gan_test_accuracy).toBeGreaterThanOrEqual(0.97);
  expect(metrics.gan_train_accuracy).toBeGreaterThanOrEqual(0.93);
  expect(figures.ms_ssim_above_real).toBeLessThanOrEqual(0.05);
  expect(figures.training_minutes).toBeLessThanOrEqual(45);
});

/** Of samples over real data. */
const excess = (metrics: Readonly<Record<string, number>>, name: string): number =>
  metrics[name]! - metrics[`real.${name}`]!;
