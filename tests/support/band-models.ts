// Tiny models of the labelled pictures of bands.ts: each trained for seconds in `folder` and published in <folder>/models.
import { join } from 'node:path';
import { compiledEngine, exportBundle, train } from '@genserve/trainer';
import { writeBands } from './bands.js';

/** Codes of the tiny VQ-VAE's book. */
export const CODES = 6;

interface Recipe {
  readonly steps: number;
  readonly configuration: object;
  readonly learningRate: number;
}

const recipes = {
  'ac-gan': {
    steps: 200,
    configuration: { latent: 4, width: 6, hidden: 16, levels: 1 },
    learningRate: 2e-3,
  },
  classifier: {
    steps: 100,
    configuration: { convolutions: [{ channels: 6, stride: 2 }], features: 16, dropout: 0 },
    learningRate: 2e-3,
  },
  'vq-vae': {
    steps: 60,
    configuration: {
      ...{ channels: 8, levels: 1, blocks: 1, blockChannels: 4, codes: CODES, dimensions: 4 },
      prior: { channels: 6, layers: 1, size: 3, firstSize: 3, head: 8 },
    },
    learningRate: 4e-3,
  },
} satisfies Record<string, Recipe>;

/** Bundles of these families, named as them; returns the folder of pictures that they learned from. */
export async function bandModels(folder: string, families: readonly (keyof typeof recipes)[]): Promise<string> {
  const data = join(folder, 'bands');
  await writeBands(data, 120);
  for (const name of families) {
    const { steps, configuration, learningRate } = recipes[name];
    const training = { batch: 30, optimiser: { learningRate }, parameterAverage: 0.9, evaluationRows: 6 };
    const engine = compiledEngine({ threads: 1 });
    const run = await train({ family: name, data, configuration, training, steps, engine, runs: folder, name });
    await exportBundle(run.folder, { out: join(folder, 'models'), name });
  }
  return data;
}
