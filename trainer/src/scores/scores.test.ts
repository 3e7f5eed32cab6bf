// What a bundle gets of anomaly scores at export, looked at from the bundle alone.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fillNoise, float32, type Manifest } from '@genserve/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Dataset, Split } from '../data/dataset.js';
import { compiledEngine } from '../engine/compiled.js';
import { evaluateAnomaly } from '../evaluate/anomaly.js';
import { exportBundle } from '../export/export-bundle.js';
import { openGenerator } from '../export/open.js';
import { recalibrate } from '../export/recalibrate.js';
import { blobDataset } from '../testing/blobs.js';
import { train } from '../train/train.js';
import { partition, spread } from './rows.js';
import { syntheticAnomalies } from './synthetic.js';
import { scoreValues } from './values.js';

const SIDE = 6;
const CALIBRATION = 400;

/** Two classes of stripes, lying and standing, of uneven brightness. */
function stripes(count: number, name: string): Split {
  const noise = fillNoise({ seed: 2, name, distribution: 'uniform', shape: [SIDE * SIDE], count });
  return {
    count,
    async read(indices) {
      const data = new Float32Array(indices.length * SIDE ** 2);
      indices.forEach((index, row) => {
        for (let i = 0; i < SIDE ** 2; i++) {
          const line = index % 2 === 0 ? Math.floor(i / SIDE) : i % SIDE;
          data[row * SIDE ** 2 + i] = (line % 3 === 0 ? 0.7 : 0.05) + 0.2 * noise[index * SIDE ** 2 + i]!;
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
  domain: { image: { ...base.domain.image!, labels: ['lying', 'standing'] } },
  train: stripes(600, 'train'),
  calibration: stripes(CALIBRATION, 'calibration'),
  test: stripes(600, 'test'),
  all: stripes(600, 'train'),
};

let folder: string;
let bundle: string;
let manifest: Manifest;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'genserve-scores-'));
  const run = await train({
    family: 'vae',
    data: dataset,
    configuration: { latent: 3, hidden: [24], background: 0.2 },
    training: { batch: 50, evaluationRows: 8 },
    steps: 150,
    engine: compiledEngine({ threads: 1 }),
    runs: folder,
    name: 'run',
  });
  const published = await exportBundle(run.folder, {
    out: join(folder, 'models'),
    name: 'stripes',
    dataset,
    calibrationRows: CALIBRATION,
    evaluation: { rows: 8, k: 2 },
  });
  bundle = published.folder;
  manifest = published.manifest;
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the scores of a bundle', () => {
  it('are those that its operations allow, each calibrated', () => {
    expect(manifest.scores.map(({ name }) => name)).toEqual([
      'negative-log-likelihood',
      'typicality',
      'input-complexity',
      'complexity',
      'likelihood-ratio',
      'rate',
      'distortion',
      'reconstruction-error',
      'mahalanobis',
      'gradient-norms',
      'nearest-neighbours',
      'exemplar-likelihood',
      'fusion',
    ]);
    for (const { calibration } of manifest.scores) expect(calibration?.count).toBe(CALIBRATION);
  });

  it('recommend the best on synthetic anomalies, and keep the figures of that choice', async () => {
    const metrics = manifest.provenance!.metrics;
    const mean = (name: string) => metrics[`recommendation.${name}`]!;
    const recommended = manifest.scores.filter(score => score.recommended);
    expect(recommended).toHaveLength(1);
    for (const { name } of manifest.scores) expect(mean(recommended[0]!.name)).toBeGreaterThanOrEqual(mean(name));
    const kinds = Object.keys(metrics).filter(key => key.startsWith('recommendation.rate.'));
    expect(kinds.map(key => key.slice('recommendation.rate.'.length))).toEqual(
      expect.arrayContaining(['rotation', 'patch', 'noise-0.1', 'noise-0.3', 'noise-1']),
    );
    expect(mean('rate')).toBeCloseTo(kinds.reduce((sum, key) => sum + metrics[key]!, 0) / kinds.length, 12);
  });

  it('know codes of rows that the densities are not fitted on, and how far apart such codes lie', async () => {
    const exemplar = manifest.scores.find(({ formula }) => formula === 'exemplar-likelihood')!;
    const { part, rest } = partition(dataset.train, dataset.train.count / 2);
    const generator = await openGenerator(bundle);
    const codes = async (split: Split) => {
      const { data } = await split.read(Array.from({ length: split.count }, (_, i) => i));
      const { z } = await generator.encode(float32([split.count, SIDE, SIDE, 1], data));
      return Array.from({ length: split.count }, (_, row) => [...z!.data.subarray(3 * row, 3 * row + 3)]);
    };
    try {
      const bank = await codes(rest);
      const table = await generator.bundle.table(exemplar.tables[0]!);
      expect(table.length).toBe(bank.flat().length);
      bank.flat().forEach((value, i) => {
        expect(table[i]).toBeCloseTo(value, 4);
      });
      const squares = (await codes(part)).map(code =>
        Math.min(...bank.map(other => other.reduce((sum, value, i) => sum + (value - code[i]!) ** 2, 0))),
      );
      const mean = squares.reduce((sum, square) => sum + square, 0) / squares.length;
      expect(exemplar.parameters.variance! / (mean / 3)).toBeCloseTo(1, 3);
    } finally {
      await generator.close();
    }
  });

  it('call normal test data anomalous as often as alpha says', async () => {
    const generator = await openGenerator(bundle);
    try {
      const { pValues } = await scoreValues(generator, dataset.test);
      for (const [score, p] of pValues)
        for (const alpha of [0.01, 0.05, 0.1]) {
          const rate = p.filter(value => value <= alpha).length / p.length;
          const allowed = 3 * Math.sqrt(alpha * (1 - alpha) * (1 / CALIBRATION + 1 / p.length));
          expect(Math.abs(rate - alpha), `${score} at ${alpha}: ${rate}`).toBeLessThanOrEqual(allowed);
        }
    } finally {
      await generator.close();
    }
  });

  it('are evaluated to the same ranking as by hand, constant pictures and noise included', async () => {
    const { rows, metrics } = await evaluateAnomaly(bundle, dataset, ['noise', 'constant'], { limit: 60 });
    expect(rows.filter(({ source }) => source === 'noise')).toHaveLength(manifest.scores.length);
    const [recommended] = rows.filter(row => row.source === 'noise' && row.recommended);
    expect(metrics['anomaly.auroc']).toBe(recommended!.auroc);
    for (const { inverted, auroc } of rows) expect(inverted).toBe(auroc < 0.5);
    const nll = rows.find(({ source, score }) => source === 'noise' && score === 'negative-log-likelihood')!;
    expect(nll.auroc).toBeGreaterThan(0.9);
    expect(metrics['false_positives.rate.0.05']).toBeLessThan(0.2);
  });
});

describe('a generator whose scores share runs', () => {
  it('gives the same numbers', async () => {
    const [own, joint] = [await openGenerator(bundle), await openGenerator(bundle, { joint: true })];
    try {
      const rows = spread(dataset.test, 300);
      const [expected, found] = [await scoreValues(own, rows), await scoreValues(joint, rows)];
      expect(found.values).toEqual(expected.values);
    } finally {
      await own.close();
      await joint.close();
    }
  });
});

describe('calibration on data of one’s own', () => {
  it('can tell the classes apart: a p-value is then a share of that class', async () => {
    const published = await recalibrate(bundle, dataset, { rows: 300, perClass: true });
    expect(published.version).toBe(manifest.version + 1);
    const generator = await openGenerator(published.folder);
    try {
      const { data, labels } = await dataset.test.read([0, 1, 2, 3]);
      const x = { dtype: 'float32', shape: [4, SIDE, SIDE, 1], data } as const;
      const own = await generator.anomaly(x, { label: [...labels!] });
      const score = published.manifest.scores.find(({ recommended }) => recommended)!;
      for (const [row, { scores }] of own.entries()) {
        const { table, count } = score.calibration!.classes.find(({ label }) => label === labels![row])!;
        const values = await generator.bundle.table(table);
        expect(scores[0]!.pValue).toBe((1 + values.filter(value => value >= scores[0]!.value).length) / (count + 1));
      }
      await expect(generator.anomaly(x, { label: 5 })).rejects.toThrow(/5 has no calibration; there is 0, 1/);
    } finally {
      await generator.close();
    }
  });

  it('can fit and choose anew, from the model alone', async () => {
    const again = await recalibrate(bundle, dataset, { rows: CALIBRATION, refit: true });
    expect(dirname(again.folder)).toBe(dirname(bundle));
    const strip = ({ scores, provenance }: Manifest) => ({ scores, metrics: provenance!.metrics });
    expect(strip(again.manifest)).toEqual(strip(manifest));
  });
});

describe('synthetic anomalies', () => {
  it('are as many as the normal rows, in range, and rank above them the more noise they have', async () => {
    const warnings: string[] = [];
    const made = await syntheticAnomalies(dataset.test, dataset.domain.image!, 50, message => warnings.push(message));
    // Emoji are a package that need not be there: then it is said.
    expect(warnings).toHaveLength(made.some(({ kind }) => kind === 'emoji') ? 0 : 1);
    const difference = new Map<string, number>();
    const { data } = await spread(dataset.test, 50).read(Array.from({ length: 50 }, (_, i) => i));
    for (const { kind, rows, count } of made) {
      expect(rows.length).toBe(count * SIDE ** 2);
      expect(rows.every(value => value >= 0 && value <= 1)).toBe(true);
      if (kind === 'emoji') continue;
      difference.set(
        kind,
        rows.reduce((sum, value, i) => sum + Math.abs(value - data[i]!), 0),
      );
    }
    expect(difference.get('noise-0.3')!).toBeGreaterThan(difference.get('noise-0.1')!);
    expect(difference.get('noise-1')!).toBeGreaterThan(difference.get('noise-0.3')!);
    expect(difference.get('rotation')!).toBeGreaterThan(0);
    expect(difference.get('patch')!).toBeGreaterThan(0);
  });
});
