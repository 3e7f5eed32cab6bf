import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fillNoise } from '@genserve/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Dataset, Split } from '../../data/dataset.js';
import { openDataset } from '../../data/open.js';
import { compiledEngine } from '../../engine/compiled.js';
import { exportBundle } from '../../export/export-bundle.js';
import { train } from '../../train/train.js';
import { evaluate } from '../evaluate.js';
import { type Judge, openJudge } from './judge.js';
import { type MeasureOptions, measurePictures } from './measure.js';
import type { Pictures } from './pictures.js';

const ROWS = 200;
const PIXELS = 28 * 28;

describe('the measures of samples, by a classifier of digits trained for seconds', () => {
  let folder: string;
  let digits: Dataset;
  let bundle: string;
  let judge: Judge;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'genserve-measures-'));
    const mnist = await openDataset('mnist');
    digits = { ...mnist, train: firstRows(mnist.train, 1000), test: firstRows(mnist.test, ROWS) };
    const run = await train({
      family: 'classifier',
      data: { ...mnist, test: digits.test },
      configuration: {
        convolutions: [
          { channels: 8, stride: 2, size: 5 },
          { channels: 16, stride: 2 },
        ],
        features: 32,
      },
      training: { batch: 32, evaluationRows: 200 },
      steps: 400,
      engine: compiledEngine({ threads: 1 }),
      runs: folder,
      name: 'run',
    });
    bundle = (await exportBundle(run.folder, { out: folder, name: 'digits', dataset: digits })).folder;
    judge = await openJudge(bundle, digits.domain, { threads: 1 });
  }, 120_000);
  afterAll(async () => {
    await judge?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const measured = async (pictures: Pictures, options: MeasureOptions = {}) =>
    (await measurePictures(pictures, digits, { judge, domain: digits.domain, threads: 1, ...options })).metrics;
  const fresh = async (): Promise<Pictures> => read(digits.calibration, [...new Array(ROWS).keys()]);

  it('put fresh real digits near the figures of real data', async () => {
    const found = await measured(await fresh(), { ganTrainSteps: 60 });
    expect(found['real.gan_train_accuracy']).toBeGreaterThan(0.5);
    expect(found.gan_train_accuracy).toBeGreaterThan(found['real.gan_train_accuracy']! - 0.15);
    expect(found.gan_test_accuracy).toBeGreaterThan(found['real.gan_test_accuracy']! - 0.05);
    // Of means of ten groups each: two are apart by half of a group's spread as a rule.
    expect(found.classifier_score).toBeGreaterThan(
      found['real.classifier_score']! - found['real.classifier_score_spread']!,
    );
    expect(found.frechet_distance).toBeLessThan(1.5 * found['real.frechet_distance']!);
    expect(Math.abs(found.kernel_distance!)).toBeLessThan(found.kernel_distance_spread!);
    expect(found.precision).toBeGreaterThan(found['real.precision']! - 0.1);
    expect(found.recall).toBeGreaterThan(found['real.recall']! - 0.1);
    expect(found.classes_covered).toBe(10);
    expect(found.ms_ssim).toBeLessThan(found['real.ms_ssim']! + 0.05);
    expect(flags(found)).toEqual([0, 0, 0]);
  }, 60_000);

  it('fail ten memorised digits in coverage, recall, similarity and memorisation', async () => {
    const { labels } = await read(digits.train, [...new Array(100).keys()]);
    const ten = [...labels.keys()].filter(row => labels[row]! < 5).slice(0, 10);
    const found = await measured(
      await read(
        digits.train,
        Array.from({ length: ROWS }, (_, row) => ten[row % 10]!),
      ),
    );
    expect(found.classes_covered).toBeLessThanOrEqual(6);
    expect(found.recall).toBeLessThan(0.1);
    expect(found.ms_ssim).toBeGreaterThan(found['real.ms_ssim']! + 0.05);
    expect(found.ms_ssim_diverse_classes).toBeLessThan(found['real.ms_ssim_diverse_classes']!);
    expect(flags(found)).toEqual([1, 1, 1]);
  }, 60_000);

  it('fail noise in everything that looks at single pictures, and put noisy digits between', async () => {
    const real = await fresh();
    const uniform = fillNoise({ seed: 1, name: 'noise', distribution: 'uniform', shape: [PIXELS], count: ROWS });
    const noise = await measured({ images: { ...real.images, data: uniform }, labels: new Array(ROWS).fill(-1) });
    expect(noise.classifier_score).toBeLessThan(0.5 * noise['real.classifier_score']!);
    expect(noise.frechet_distance).toBeGreaterThan(10 * noise['real.frechet_distance']!);
    expect(noise.kernel_distance).toBeGreaterThan(10 * (noise.kernel_distance_spread! / Math.sqrt(10)));
    // Not 0: noise is one place among the features, and with so few digits an outlier's ball may reach it.
    expect(noise.precision).toBeLessThan(0.5 * noise['real.precision']!);
    expect(noise.recall).toBeLessThan(0.05);
    expect(noise.classes_covered).toBeLessThan(10);
    expect(noise.gan_test_accuracy).toBeUndefined();

    const data = real.images.data.map((value, i) => 0.75 * value + 0.25 * uniform[i]!);
    const between = await measured({ ...real, images: { ...real.images, data } });
    for (const name of ['frechet_distance', 'kernel_distance']) {
      expect(between[name]).toBeGreaterThan(between[`real.${name}`]!);
      expect(between[name]).toBeLessThan(noise[name]!);
    }
  }, 60_000);

  it('come from a bundle, with the hash of the classifier beside them', async () => {
    const { metrics, context } = await evaluate('models/mnist-vae/1', digits, {
      metric: 'samples',
      classifier: bundle,
      limit: 40,
      threads: 1,
      out: join(folder, 'sheets'),
    });
    expect(metrics).toMatchObject({ 'images.samples': 100, classifier_score: expect.any(Number) });
    // Reconstructions are of the rows that the figures of real data are of: somewhat worse digits, of the same classes.
    expect(metrics['reconstruction.gan_test_accuracy']).toBeGreaterThan(metrics['real.gan_test_accuracy']! - 0.2);
    expect(metrics['reconstruction.frechet_distance']).not.toBe(metrics['real.frechet_distance']);
    expect(metrics['reconstruction.frechet_distance']).toBeLessThan(2 * metrics['real.frechet_distance']!);
    expect(context).toMatchObject({ classifier: 'digits/1', classifier_sha256: judge.hash, samples: 40, rows: 40 });
    expect(judge.hash).toMatch(/^[0-9a-f]{64}$/);
  }, 60_000);

  it('need a classifier, of such pictures', async () => {
    const wrong = { reason: 'INVALID_ARGUMENT', field: 'classifier' };
    await expect(openJudge('models/mnist-vae/1', digits.domain)).rejects.toMatchObject(wrong);
    const image = { ...digits.domain.image!, height: 27 };
    await expect(openJudge(bundle, { ...digits.domain, image })).rejects.toMatchObject(wrong);
  });

  it('teach no classifier without labels', async () => {
    const options = { metric: 'samples', classifier: bundle, ganTrainSteps: 1 } as const;
    await expect(evaluate('models/mnist-vae/1', digits, options)).rejects.toMatchObject({ field: 'ganTrain' });
  });

  it('need twenty rows', async () => {
    await expect(measured(await read(digits.test, [0, 1, 2]))).rejects.toMatchObject({ field: 'limit' });
  });
});

const flags = (metrics: Readonly<Record<string, number>>) =>
  ['pixels_l1', 'pixels_l2', 'features'].map(space => metrics[`memorisation.${space}.flag`]);

const firstRows = (split: Split, count: number): Split => ({ count, read: indices => split.read(indices) });

async function read(split: Split, indices: readonly number[]): Promise<Pictures> {
  const { data, labels } = await split.read(indices);
  return { images: { count: indices.length, width: PIXELS, data }, labels: Array.from(labels!) };
}
