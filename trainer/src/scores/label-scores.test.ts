// The score that uses labels, of a model that tells two classes apart: lying stripes and standing ones.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BundleGenerator, fillNoise, float32, type Manifest } from '@genserve/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Dataset, Split } from '../data/dataset.js';
import { compiledEngine } from '../engine/compiled.js';
import { evaluateAnomaly } from '../evaluate/anomaly.js';
import { exportBundle } from '../export/export-bundle.js';
import { openGenerator } from '../export/open.js';
import { recalibrate } from '../export/recalibrate.js';
import { blobDataset } from '../testing/blobs.js';
import { train } from '../train/train.js';

const SIDE = 6;
const CALIBRATION = 200;
const SCORE = 'negative-log-likelihood-of-label';

/** Binary stripes with one pixel in twenty turned; the class is the row's index modulo 2. */
function stripes(count: number, name: string): Split {
  const noise = fillNoise({ seed: 2, name, distribution: 'uniform', shape: [SIDE * SIDE], count });
  return {
    count,
    async read(indices) {
      const data = new Float32Array(indices.length * SIDE ** 2);
      indices.forEach((index, row) => {
        for (let i = 0; i < SIDE ** 2; i++) {
          const line = index % 2 === 0 ? Math.floor(i / SIDE) : i % SIDE;
          const turned = noise[index * SIDE ** 2 + i]! < 0.05;
          data[row * SIDE ** 2 + i] = (line % 3 === 0) !== turned ? 1 : 0;
        }
      });
      return { data, labels: Int32Array.from(indices, index => index % 2) };
    },
  };
}

const base = blobDataset(SIDE);
const dataset: Dataset = {
  ...base,
  name: 'stripes',
  domain: { image: { ...base.domain.image!, levels: 2, binarisation: 'threshold', labels: ['lying', 'standing'] } },
  train: stripes(400, 'train'),
  calibration: stripes(CALIBRATION, 'calibration'),
  test: stripes(100, 'test'),
  all: stripes(150, 'own'),
};
const withoutLabels = (split: Split): Split => ({
  count: split.count,
  read: async indices => ({ data: (await split.read(indices)).data }),
});

let folder: string;
let bundle: string;
let manifest: Manifest;
let generator: BundleGenerator;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'genserve-labels-'));
  const run = await train({
    family: 'gated-pixelcnn',
    data: dataset,
    configuration: { channels: 8, layers: 2, size: 3, firstSize: 3, head: 8, condition: 'label', particles: 2 },
    training: { batch: 50, evaluationRows: 8 },
    steps: 200,
    engine: compiledEngine({ threads: 1 }),
    runs: folder,
    name: 'run',
  });
  const published = await exportBundle(run.folder, {
    out: join(folder, 'models'),
    name: 'stripes',
    dataset,
    calibrationRows: CALIBRATION,
    evaluation: { rows: 8, k: 1 },
  });
  bundle = published.folder;
  manifest = published.manifest;
  generator = await openGenerator(bundle);
}, 120_000);
afterAll(async () => {
  await generator?.close();
  await rm(folder, { recursive: true, force: true });
});

/** -log p(x | label) of rows of a split, asked of the graph itself. */
async function negativeLogProbs(split: Split, labels: (index: number) => number): Promise<number[]> {
  const { data } = await split.read(Array.from({ length: split.count }, (_, i) => i));
  const feeds = {
    x: float32([split.count, SIDE, SIDE, 1], data),
    label: {
      dtype: 'int32',
      shape: [split.count],
      data: Int32Array.from({ length: split.count }, (_, i) => labels(i)),
    },
  } as const;
  return Array.from((await generator.runner.run('log_prob', feeds)).log_prob!.data, value => -value);
}
const own = (index: number) => index % 2;
const closeTo = (found: ArrayLike<number>, expected: readonly number[]) => {
  expect(found.length).toBe(expected.length);
  expected.forEach((value, i) => {
    expect(Math.abs(found[i]! - value), `number ${i}`).toBeLessThan(1e-4);
  });
};
const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b);
const scoreOf = ({ scores }: Manifest) => scores.find(({ name }) => name === SCORE)!;

describe('a bundle whose likelihood takes a label', () => {
  it('offers one score that uses it, which neither competes for the recommendation nor enters a fusion', () => {
    expect(manifest.scores.filter(({ usesLabel }) => usesLabel).map(({ name }) => name)).toEqual([SCORE]);
    expect(scoreOf(manifest).recommended).toBe(false);
    expect(manifest.scores.filter(({ recommended }) => recommended)).toHaveLength(1);
    for (const { statistics } of manifest.scores) expect(statistics).not.toContain(SCORE);
    const judged = Object.keys(manifest.provenance!.metrics).filter(name => name.startsWith('recommendation.'));
    expect(judged.length).toBeGreaterThan(0);
    expect(judged.filter(name => name.startsWith(`recommendation.${SCORE}`))).toEqual([]);
  });

  it('is calibrated on rows with their own labels', async () => {
    const { count, table } = scoreOf(manifest).calibration!;
    expect(count).toBe(CALIBRATION);
    closeTo(await generator.bundle.table(table), sorted(await negativeLogProbs(dataset.calibration, own)));
  });

  it('scores a row by the label that comes with it, and maps where that label does not explain it', async () => {
    const { data } = await dataset.test.read([0, 1, 2]);
    const x = float32([3, SIDE, SIDE, 1], data);
    const expected = await negativeLogProbs({ ...dataset.test, count: 3 }, () => 1);
    const results = await generator.anomaly(x, { scores: [SCORE], label: 1, map: true });
    closeTo(
      results.map(({ scores }) => scores[0]!.value),
      expected,
    );
    closeTo(
      results.map(({ map }) => Array.from(map!.data).reduce((sum, value) => sum + value, 0)),
      expected,
    );
    await expect(generator.anomaly(x, { scores: [SCORE] })).rejects.toMatchObject({
      reason: 'INVALID_ARGUMENT',
      field: 'label',
    });
  });
});

describe('calibration on data of one’s own', () => {
  it('gives the score the rows’ own labels, and a table for each class on request', async () => {
    const published = await recalibrate(bundle, dataset, { perClass: true, out: join(folder, 'own') });
    const { table, classes } = scoreOf(published.manifest).calibration!;
    const again = await openGenerator(published.folder);
    try {
      const expected = await negativeLogProbs(dataset.all, own);
      closeTo(await again.bundle.table(table), sorted(expected));
      expect(classes.map(({ label }) => label)).toEqual([0, 1]);
      for (const { label, table } of classes)
        closeTo(await again.bundle.table(table), sorted(expected.filter((_, i) => own(i) === label)));
    } finally {
      await again.close();
    }
  });

  it('leaves the score without calibration where no row has a label', async () => {
    const unlabelled = { ...dataset, all: withoutLabels(dataset.all) };
    const { manifest } = await recalibrate(bundle, unlabelled, { out: join(folder, 'unlabelled') });
    expect(scoreOf(manifest).calibration).toBeUndefined();
    for (const { usesLabel, calibration } of manifest.scores) if (!usesLabel) expect(calibration!.count).toBe(150);
  });
});

describe('evaluation', () => {
  it('ranks the score on wrong labels alone, and the others on the anomalies alone', async () => {
    const { rows, metrics, context } = await evaluateAnomaly(bundle, dataset, ['noise'], { limit: 60 });
    const plain = manifest.scores.filter(({ usesLabel }) => !usesLabel).map(({ name }) => name);
    expect(rows.filter(({ usesLabel }) => !usesLabel).map(({ source, score }) => [source, score])).toEqual(
      plain.map(name => ['noise', name]),
    );
    const [ofLabel, ...more] = rows.filter(({ usesLabel }) => usesLabel);
    expect(more).toEqual([]);
    expect(ofLabel).toMatchObject({ source: 'wrong-label', score: SCORE, recommended: false });
    expect(context.using_labels).toMatch(/with their own label against the same rows with a wrong one/);
    expect(metrics[`anomaly.wrong-label.${SCORE}.auroc`]).toBe(ofLabel!.auroc);
    expect(metrics[`anomaly.noise.${SCORE}.auroc`]).toBeUndefined();
    // The classes are told apart at a glance, and so by a model that has learned anything of them.
    expect(ofLabel!.auroc).toBeGreaterThan(0.95);
  });

  it('has the area under the curve that pairs of rows give', async () => {
    const { rows } = await evaluateAnomaly(bundle, dataset, ['constant']);
    const right = await negativeLogProbs(dataset.test, own);
    const wrong = await negativeLogProbs(dataset.test, index => 1 - own(index));
    const above = wrong.flatMap(w => right.map(r => (w > r ? 1 : w === r ? 0.5 : 0)));
    const auroc = above.reduce<number>((sum, value) => sum + value, 0) / above.length;
    expect(rows.find(({ usesLabel }) => usesLabel)!.auroc).toBeCloseTo(auroc, 3);
  });

  it('ranks no score that uses labels where the data have none', async () => {
    const unlabelled = { ...dataset, test: withoutLabels(dataset.test) };
    const { rows } = await evaluateAnomaly(bundle, unlabelled, ['noise'], { limit: 20 });
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.filter(({ usesLabel }) => usesLabel)).toEqual([]);
  });
});
