import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compiledEngine } from '../engine/compiled.js';
import { evaluate } from '../evaluate/evaluate.js';
import { exportBundle } from '../export/export-bundle.js';
import { openGenerator } from '../export/open.js';
import { verify } from '../export/verify.js';
import { bandDataset } from '../testing/bands.js';
import { flowSubject, halfPrecisionBytes, imageDomain } from '../testing/flows.js';
import { compiledAgainstEager } from '../testing/rounds.js';
import { train } from '../train/train.js';
import { classifier } from './classifier.js';

const dataset = bandDataset();
const tiny = { convolutions: [{ channels: 4, stride: 2 }, { channels: 6 }], features: 8 };

describe('a training step of the classifier', () => {
  it('equals tfjs on its cpu backend, dropout and batch normalisation included', async () => {
    const { domain } = dataset;
    const options = { family: classifier, settings: tiny, domain, batch: 6 };
    expect((await compiledAgainstEager(options, 3)).difference).toBeLessThan(1e-3);
  });

  it('needs labels, and says so', () => {
    expect(() => flowSubject(classifier, tiny, imageDomain(9, 9, 256))).toThrowError(/no labels/);
  });
});

describe('the preset "small" on MNIST', () => {
  it('is at most 4 MB in float16', () => {
    const labels = Array.from({ length: 10 }, (_, digit) => String(digit));
    const domain = { image: { ...imageDomain(28, 28, 256).image!, labels } };
    expect(halfPrecisionBytes(flowSubject(classifier, {}, domain))).toBeLessThan(4e6);
  });
});

describe('a classifier of data that are partly labelled', () => {
  let folder: string;
  let bundle: string;
  const metrics: Record<string, number>[] = [];
  const partly = bandDataset({ partly: true });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'genserve-classifier-'));
    const run = await train({
      family: 'classifier',
      data: partly,
      configuration: { ...tiny, features: 16, dropout: 0.2 },
      training: { batch: 15, schedule: { warmUpSteps: 0 }, optimiser: { learningRate: 1e-2 }, evaluationRows: 30 },
      steps: 100,
      engine: compiledEngine({ threads: 1 }),
      runs: folder,
      name: 'run',
      callbacks: [{ onEvaluate: event => void metrics.push(event.metrics) }],
    });
    bundle = (await exportBundle(run.folder, { out: join(folder, 'models'), name: 'bands', dataset: partly })).folder;
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('learns them, and logs its accuracy on held-out rows', () => {
    expect(metrics.at(-1)!.accuracy).toBe(1);
  });

  it('is exported with that accuracy, without a picture of samples that it cannot draw', async () => {
    const generator = await openGenerator(bundle);
    const { manifest } = generator;
    await generator.close();
    expect(manifest.operations.map(({ name }) => name)).toEqual(['classify', 'features']);
    expect(manifest.provenance!.metrics).toMatchObject({ 'test.accuracy': 1, 'test.accuracy.top': 1 });
    expect(manifest.files.some(({ path }) => path === 'preview.png')).toBe(false);
    expect((await verify(bundle)).passed).toBe(true);
  });

  it('is evaluated on the rows that have a label', async () => {
    const { metrics: found, context } = await evaluate(bundle, partly, { metric: 'accuracy' });
    expect(found.accuracy).toBe(1);
    expect(context).toMatchObject({ rows: 30, labelled: 24, split: 'test' });
  });

  it('has no likelihood to evaluate', async () => {
    await expect(evaluate(bundle, partly, { metric: 'nll' })).rejects.toMatchObject({
      reason: 'OPERATION_UNSUPPORTED',
    });
  });
});
