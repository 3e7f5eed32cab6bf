// A tiny pix2pix whose translations are negatives: a picture with a light third becomes one with a dark third.
import { fillNoise } from '@genserve/runtime';
import { compiledEngine, type Dataset, exportBundle, type Split, train } from '@genserve/trainer';

export const side = 12;
const size = side ** 2;
const third = size / 3;

/** `count` pictures [count, side, side, 1]: one third is light, the others are dark, with noise. */
export function pictures(count: number, name = 'negatives'): Float32Array<ArrayBuffer> {
  const noise = fillNoise({ seed: 1, name, distribution: 'uniform', shape: [size], count });
  return noise.map((value, index) => {
    const light = Math.floor((index % size) / third) === Math.floor(index / size) % 3;
    return Math.round(255 * ((light ? 0.8 : 0) + 0.2 * value)) / 255;
  });
}

const split = (count: number, name: string): Split => ({
  count,
  async read(indices) {
    const all = pictures(count, name);
    const data = Float32Array.from(indices.flatMap(row => [...all.subarray(row * size, (row + 1) * size)]));
    return { data, target: data.map(value => 1 - value) };
  },
});

const domain = {
  image: { height: side, width: side, channels: 1, levels: 256, binarisation: 'none', polarity: '', labels: [] },
};

export const negatives: Dataset = {
  ...{ name: 'negatives', domain, target: domain, train: split(60, 'train'), all: split(60, 'train') },
  ...{ calibration: split(24, 'calibration'), test: split(24, 'test') },
  ...{ sha256: '0'.repeat(64), licence: 'CC0-1.0', attribution: '', frequencies: [], summary: '', split: '' },
};

/** Trains for seconds in `folder` and publishes <models>/negative/1; returns that folder. */
export async function negativeBundle(folder: string, models: string): Promise<string> {
  const run = await train({
    family: 'pix2pix',
    data: negatives,
    configuration: { width: 6, widest: 2, levels: 2, discriminatorWidth: 6, dropoutLevels: 1 },
    training: { batch: 10, optimiser: { learningRate: 2e-3 }, parameterAverage: 0.9, evaluationRows: 20 },
    steps: 150,
    engine: compiledEngine({ threads: 1 }),
    runs: folder,
    name: 'negative',
  });
  return (await exportBundle(run.folder, { out: models, name: 'negative', dataset: negatives })).folder;
}
