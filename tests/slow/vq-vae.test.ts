// VQ-VAE by its recipe, judged by the classifier of Fashion-MNIST: how much of its codebook it uses, and how much worse what
// the prior draws is than what the codes can hold.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { genserve } from '../support/command.js';
import { root } from '../support/paths.js';
import { record } from '../support/results.js';

it('uses its codebook, and draws clothes nearly as good as it reconstructs, after an hour', async () => {
  const folder = mkdtempSync(`${tmpdir()}/genserve-vq-vae-`);
  const trained = async (name: string, recipe: string[]) => {
    const started = performance.now();
    await genserve(['train', ...recipe, '--name', name, '--no-export', '--runs', `${folder}/runs`], root);
    const minutes = (performance.now() - started) / 60_000;
    await genserve(['export', `${folder}/runs/${name}`, '--out', `${folder}/models`], root);
    return { bundle: `${folder}/models/${name}`, minutes };
  };
  try {
    const data = ['--data', 'fashion-mnist'];
    const classifier = await trained('fashion-classifier', ['--config', 'recipes/classifier.yaml', ...data]);
    const { bundle, minutes } = await trained('fashion-vq-vae', ['--config', 'recipes/vq-vae.yaml']);
    const codes = await genserve(['evaluate', bundle, ...data, '--metric', 'codes'], root);
    const judged = ['--metric', 'samples', '--classifier', classifier.bundle, '--seed', '1'];
    const samples = await genserve(['evaluate', bundle, ...data, ...judged, '--out', `${folder}/sheets`], root);
    const ratio = samples.metrics.frechet_distance! / samples.metrics['reconstruction.frechet_distance']!;
    const figures = { ...samples.metrics, ...codes.metrics, frechet_ratio: ratio, training_minutes: minutes };
    const command =
      'genserve evaluate models/fashion-vq-vae --data fashion-mnist --metric samples --classifier models/fashion-classifier --seed 1';
    record('fashion-vq-vae', command, figures, samples.context);
    expect(codes.metrics.codebook_perplexity).toBeGreaterThanOrEqual(60);
    expect(ratio).toBeLessThanOrEqual(2);
    expect(minutes).toBeLessThanOrEqual(60);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
