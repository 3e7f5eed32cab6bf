// The classifiers that samples are measured by, trained by their recipe: accuracy on all test images, and the minutes it took.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { genserve } from '../support/command.js';
import { root } from '../support/paths.js';
import { record } from '../support/results.js';

it.each([
  ['mnist', 0.99],
  ['fashion-mnist', 0.9],
])('reaches its accuracy on %s within five minutes', async (data, bar) => {
  const folder = mkdtempSync(`${tmpdir()}/genserve-classifier-`);
  try {
    const name = `${data}-classifier`;
    const train = ['train', '--config', 'recipes/classifier.yaml', '--data', data, '--name', name];
    const started = performance.now();
    await genserve([...train, '--no-export', '--runs', `${folder}/runs`], root);
    const minutes = (performance.now() - started) / 60_000;
    await genserve(['export', `${folder}/runs/${name}`, '--out', `${folder}/models`], root);
    const evaluate = ['evaluate', `${folder}/models/${name}`, '--data', data, '--metric', 'accuracy'];
    const { metrics, context } = await genserve(evaluate, root);
    record(name, `genserve ${train.join(' ')}`, { ...metrics, training_minutes: minutes }, context);
    expect(metrics.accuracy).toBeGreaterThanOrEqual(bar);
    expect(minutes).toBeLessThanOrEqual(5);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
