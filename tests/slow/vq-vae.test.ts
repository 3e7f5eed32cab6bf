// The shipped VQ-VAE, judged by the shipped classifier of Fashion-MNIST: how much of its codebook it uses, and how much
// worse what the prior draws is than what the codes can hold.
import { expect, it } from 'vitest';
import { genserve } from '../support/command.js';
import { trainingMinutes } from '../support/provenance.js';
import { record } from '../support/results.js';

it('uses its codebook, and draws clothes nearly as good as it reconstructs, after an hour', async () => {
  const evaluate = ['evaluate', 'models/fashion-vq-vae', '--data', 'fashion-mnist'];
  const measures = ['--metric', 'samples', '--classifier', 'models/fashion-mnist-classifier', '--seed', '1'];
  const codes = await genserve([...evaluate, '--metric', 'codes']);
  const samples = await genserve([...evaluate, ...measures]);
  const ratio = samples.metrics.frechet_distance! / samples.metrics['reconstruction.frechet_distance']!;
  const minutes = trainingMinutes('models/fashion-vq-vae');
  const figures = { ...samples.metrics, ...codes.metrics, frechet_ratio: ratio, training_minutes: minutes };
  record('fashion-vq-vae', `genserve ${[...evaluate, ...measures].join(' ')}`, figures, samples.context);
  expect(codes.metrics.codebook_perplexity).toBeGreaterThanOrEqual(60);
  expect(ratio).toBeLessThanOrEqual(2);
  expect(minutes).toBeLessThanOrEqual(60);
});
