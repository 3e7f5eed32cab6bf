import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BundleGenerator, buildFeeds, findOperation } from '@genserve/runtime';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compiledEngine } from '../engine/compiled.js';
import { sampleSheets } from '../evaluate/samples/sheets.js';
import { exportBundle } from '../export/export-bundle.js';
import { openGenerator } from '../export/open.js';
import { bandDataset, bandSide } from '../testing/bands.js';
import { flowSubject, halfPrecisionBytes, imageDomain } from '../testing/flows.js';
import { compiledAgainstEager, parameterCounts } from '../testing/rounds.js';
import { train } from '../train/train.js';
import { acGan } from './ac-gan.js';

const digits = Array.from({ length: 10 }, (_, digit) => String(digit));
const mnist = { image: { ...imageDomain(28, 28, 256).image!, labels: digits } };
const tiny = { latent: 4, width: 6, hidden: 16, levels: 1 };

describe('a training step of AC-GAN', () => {
  it('equals tfjs on its cpu backend after two rounds', async () => {
    const settings = { ...tiny, instanceNoise: { deviation: 0.1 }, labelSmoothing: 0.1 };
    const { domain } = bandDataset();
    const options = { family: acGan, settings, domain, batch: 6 };
    expect((await compiledAgainstEager(options, 2)).difference).toBeLessThan(1e-3);
  });

  it('needs labels, and says so', () => {
    expect(() => flowSubject(acGan, tiny, imageDomain(9, 9, 256))).toThrowError(/no labels/);
  });
});

describe('the preset "small" on MNIST', () => {
  it('is at most 4 MB in float16', () => {
    expect(halfPrecisionBytes(flowSubject(acGan, acGan.presets.small!, mnist))).toBeLessThan(4e6);
  });

  it('has a discriminator of DCGAN with a second head', () => {
    const inner = 25 * (32 + 32 * 64) + 7 * 7 * 64 * 256;
    // The bias of the first layer, then gains and offsets of batch normalisation.
    const offsets = 32 + 2 * (64 + 256);
    expect(parameterCounts(acGan, acGan.presets.small!, mnist).discriminator).toBe(inner + offsets + (256 + 1) * 11);
  });
});

/** Data whose class is the third of the picture that is bright: see testing/bands.ts. */
describe('an AC-GAN of three classes', () => {
  let folder: string;
  let generator: BundleGenerator;
  const figures: Record<string, number>[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'genserve-ac-gan-'));
    const dataset = bandDataset();
    const run = await train({
      family: 'ac-gan',
      data: dataset,
      configuration: tiny,
      training: { batch: 30, optimiser: { learningRate: 2e-3 }, parameterAverage: 0.9, evaluationRows: 30 },
      steps: 200,
      engine: compiledEngine({ threads: 1 }),
      runs: folder,
      name: 'run',
      callbacks: [{ onEvaluate: event => void figures.push(event.metrics) }],
    });
    const published = await exportBundle(run.folder, { out: join(folder, 'models'), name: 'bands', dataset });
    generator = await openGenerator(published.folder);
  });
  afterAll(async () => {
    await generator.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** The brightest third of each picture. */
  function brightest(pictures: Float32Array): number[] {
    const third = bandSide ** 2 / 3;
    return Array.from({ length: pictures.length / (3 * third) }, (_, row) => {
      const sums = [0, 1, 2].map(band => {
        const from = (3 * row + band) * third;
        return pictures.subarray(from, from + third).reduce((sum, value) => sum + value, 0);
      });
      return sums.indexOf(Math.max(...sums));
    });
  }

  it('draws the class that it is told, and draws one itself where it is told none', async () => {
    const label = Array.from({ length: 60 }, (_, row) => row % 3);
    const told = await generator.sample({ count: 60, seed: 1, label });
    const hits = brightest(told.data.data as Float32Array).filter((band, row) => band === label[row]).length;
    expect(hits).toBeGreaterThanOrEqual(57);
    const { data, labels } = await generator.sample({ count: 60, seed: 2 });
    expect(new Set(labels)).toEqual(new Set([0, 1, 2]));
    expect(brightest(data.data as Float32Array).filter((band, row) => band === labels![row]).length).toBeGreaterThan(
      54,
    );
  });

  it('keeps the noise apart from the class: one z decodes to each', async () => {
    const z = { dtype: 'float32', shape: [3, 4], data: new Float32Array(12).fill(0.3) } as const;
    const { data } = await generator.decode({ z }, { label: [0, 1, 2] });
    expect(brightest(data.data as Float32Array)).toEqual([0, 1, 2]);
  });

  it('shows itself on a sheet with the same noise in each line, and a class in each column', async () => {
    const out = join(folder, 'sheets');
    const sheets = await sampleSheets(generator, bandDataset().test, { out });
    expect(sheets.map(({ name }) => name)).toEqual(['samples', 'labels-by-noise']);
    const { data, info } = await sharp(sheets[1]!.path).greyscale().raw().toBuffer({ resolveWithObject: true });
    // A picture and the gap beside it, drawn at twice its size.
    const pitch = 2 * (bandSide + 1);
    expect(info.width).toBe(10 * pitch + 2);
    const at = (line: number, column: number) => {
      const picture = new Float32Array(bandSide ** 2);
      for (let pixel = 0; pixel < picture.length; pixel++) {
        const y = line * pitch + 2 + 2 * Math.floor(pixel / bandSide);
        const x = column * pitch + 2 + 2 * (pixel % bandSide);
        picture[pixel] = data[y * info.width + x]!;
      }
      return picture;
    };
    expect([0, 1, 2].map(column => brightest(at(4, column))[0])).toEqual([0, 1, 2]);
    expect(at(4, 3)).toEqual(at(4, 0));
    expect(at(5, 0)).not.toEqual(at(4, 0));
  });

  it('classifies held-out data, and says so while it trains and in its bundle', async () => {
    expect(figures.at(-1)!.class_accuracy).toBe(1);
    expect(figures.at(-1)!.generated_class_accuracy).toBeGreaterThan(0.9);
    expect(generator.manifest.provenance!.metrics['test.accuracy']).toBe(1);
  });

  it('serves a verdict on the source: one number a picture', async () => {
    const { manifest, runner } = generator;
    const { data } = await generator.sample({ count: 2, seed: 1 });
    const feeds = buildFeeds(manifest, findOperation(manifest, 'critic'), 2, { x: data }, { seed: 0 });
    const { score } = await runner.run('critic', feeds);
    expect(score!.shape).toEqual([2]);
    expect(score!.data.every(Number.isFinite)).toBe(true);
  });
});
