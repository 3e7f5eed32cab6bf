// Bands: pictures whose class is the third that is bright (testing/bands.ts), where what a classifier can learn is known.
import { beforeAll, describe, expect, it } from 'vitest';
import type { Split } from '../../data/dataset.js';
import { bandDataset, bandLabels } from '../../testing/bands.js';
import { type GanTrainOptions, ganTrain } from './gan-train.js';
import { type Pictures, readPictures } from './pictures.js';

const dataset = bandDataset();
const options: GanTrainOptions = { domain: dataset.domain, classNames: bandLabels, steps: 120, seed: 1, threads: 1 };
const rows = async ({ count, ...split }: Split, take = count): Promise<Pictures> =>
  await readPictures({ count, ...split }, dataset.domain, [...new Array(take).keys()], 0);

describe('GAN-train accuracy', () => {
  let real: Pictures;
  let test: Pictures;
  beforeAll(async () => {
    [real, test] = [await rows(dataset.train), await rows(dataset.test)];
  });
  const accuracyOf = async (pictures: Pictures) => (await ganTrain(pictures, test, options)).accuracy;

  it('is the ceiling for a generator that draws as nature does', async () => {
    expect(await ganTrain(real, test, options)).toEqual({ accuracy: 1, trainRows: 90, testRows: 30 });
    expect(await accuracyOf(await rows(dataset.calibration))).toBe(1);
  });

  it('is chance where labels say nothing of pictures', async () => {
    // Of each class a third, whatever the picture: its class is row mod 3.
    const labels = real.labels.map((_, row) => Math.floor(row / 3) % 3);
    expect(Math.abs((await accuracyOf({ ...real, labels })) - 1 / 3)).toBeLessThan(0.25);
  });

  it('is the share of the classes that a collapsed generator still draws', async () => {
    const labels = real.labels.map(label => (label === 2 ? -1 : label)); // none of the third class
    expect(await ganTrain({ ...real, labels }, test, options)).toMatchObject({ accuracy: 2 / 3, trainRows: 60 });
  });

  it('is the same for the same seed', async () => {
    const few = { ...options, steps: 5 };
    expect(await ganTrain(real, test, few)).toEqual(await ganTrain(real, test, few));
  });

  it('needs labels', async () => {
    const labels = real.labels.map(() => -1);
    await expect(ganTrain({ ...real, labels }, test, options)).rejects.toMatchObject({ field: 'ganTrain' });
  });

  it('ends at an abort', async () => {
    const signal = AbortSignal.abort();
    await expect(ganTrain(real, test, { ...options, signal })).rejects.toMatchObject({ name: 'AbortError' });
  });
});
