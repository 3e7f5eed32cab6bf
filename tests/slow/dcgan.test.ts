// DCGAN by its recipe, judged by the classifier of MNIST by its own: 10,000 samples that nothing was chosen by.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { genserve } from '../support/command.js';
import { root } from '../support/paths.js';
import { record } from '../support/results.js';

it('draws every digit, and each so that the classifier is sure, after half an hour', async () => {
  const folder = mkdtempSync(`${tmpdir()}/genserve-dcgan-`);
  const trained = async (name: string, recipe: string[]) => {
    const started = performance.now();
    await genserve(['train', ...recipe, '--name', name, '--no-export', '--runs', `${folder}/runs`], root);
    const minutes = (performance.now() - started) / 60_000;
    await genserve(['export', `${folder}/runs/${name}`, '--out', `${folder}/models`], root);
    return { bundle: `${folder}/models/${name}`, minutes };
  };
  try {
    const classifier = await trained('mnist-classifier', ['--config', 'recipes/classifier.yaml', '--data', 'mnist']);
    const { bundle, minutes } = await trained('mnist-dcgan', ['--config', 'recipes/dcgan.yaml']);
    const judged = ['--data', 'mnist', '--metric', 'samples', '--classifier', classifier.bundle, '--seed', '1'];
    const { metrics, context } = await genserve(['evaluate', bundle, ...judged, '--out', `${folder}/sheets`], root);
    const command =
      'genserve evaluate models/mnist-dcgan --data mnist --metric samples --classifier models/mnist-classifier --seed 1';
    record('mnist-dcgan', command, { ...metrics, training_minutes: minutes }, context);
    expect(metrics.classifier_score).toBeGreaterThanOrEqual(9);
    expect(metrics.smallest_class_share).toBeGreaterThanOrEqual(0.05);
    expect(minutes).toBeLessThanOrEqual(30);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
