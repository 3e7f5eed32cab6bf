// PixelVAE and PixelCNN with 0, 1, 2, 4 and 8 autoregressive layers, equal steps each; the thesis' figure 2.4.
import { execFileSync } from 'node:child_process';
import { type Dataset, openDataset } from '@genserve/trainer';
import { expect, it } from 'vitest';
import { genserve } from '../support/command.js';
import { root } from '../support/paths.js';
import { record } from '../support/results.js';

const command = ['batch', 'recipes/plans/autoregressive-layers.yaml'];
const layers = [0, 1, 2, 4, 8];

it('PixelVAE is ahead with few layers, and its code sheds most between none and one', async () => {
  const { metrics, context } = await genserve(command);
  const all: Record<string, number> = {
    ...metrics,
    'layers-pixelcnn-0.test.nll_nats': await independentPixels(await openDataset('mnist')),
  };
  const kl = layers.map(count => all[`layers-pixelvae-${count}.test.kl_nats`]!);
  const drops = kl.slice(1).map((value, i) => kl[i]! - value);
  const ahead = (count: number) =>
    all[`layers-pixelcnn-${count}.test.nll_nats`]! - all[`layers-pixelvae-${count}.test.nll_nats`]!;
  const summary = {
    ahead_at_1_layer_nats: ahead(1),
    ahead_at_2_layers_nats: ahead(2),
    first_drop_in_kl_nats: drops[0]!,
  };
  record('autoregressive-layers', `genserve ${command.join(' ')}`, { ...all, ...summary }, context);
  execFileSync(process.execPath, [`${root}scripts/layers-figure.mjs`]);
  expect(ahead(1)).toBeGreaterThan(0);
  expect(ahead(2)).toBeGreaterThan(0);
  expect(Math.max(...drops)).toBe(drops[0]);
});

/** A PixelCNN of no layers: each pixel by its frequency in training data; expected over the binarisation, nats. */
async function independentPixels({ train, test }: Dataset): Promise<number> {
  const [known, held] = [await means(train), await means(test)];
  return held.reduce((sum, q, pixel) => {
    // A pixel that is never on is given one half of a count.
    const p = Math.min(Math.max(known[pixel]!, 0.5 / train.count), 1 - 0.5 / train.count);
    return sum - q * Math.log(p) - (1 - q) * Math.log(1 - p);
  }, 0);
}

async function means(split: Dataset['train']): Promise<Float64Array> {
  const sums = new Float64Array(784);
  for (let first = 0; first < split.count; first += 1000) {
    const indices = Array.from({ length: Math.min(1000, split.count - first) }, (_, i) => first + i);
    const { data } = await split.read(indices);
    for (let i = 0; i < data.length; i++) sums[i % 784]! += data[i]! / split.count;
  }
  return sums;
}
