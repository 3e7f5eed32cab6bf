import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fillNoise, readNpy } from '@genserve/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compiledEngine } from '../engine/compiled.js';
import { eagerEngine } from '../engine/eager.js';
import { evaluate } from '../evaluate/evaluate.js';
import { averagedState } from '../optim/average.js';
import { blobDataset, blobSize } from '../testing/blobs.js';
import { runOperation } from '../testing/tiny-vae.js';
import { latestCheckpoint } from '../train/checkpoint.js';
import { buildModel } from '../train/run.js';
import { readRunRecord, runPaths } from '../train/run-folder.js';
import { train } from '../train/train.js';
import { type ExportOptions, exportBundle } from './export-bundle.js';
import { openGenerator } from './open.js';
import type { Published } from './publish.js';
import { verify } from './verify.js';

const dataset = blobDataset();
let folder: string;
let run: string;
let published: Published;

const exportOptions = (): ExportOptions => ({
  out: join(folder, 'models'),
  name: 'tiny',
  dataset,
  calibrationRows: 8,
  evaluation: { rows: 8, k: 5 },
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'genserve-export-'));
  const trained = await train({
    family: 'vae',
    data: dataset,
    configuration: {
      latent: 3,
      encoder: [{ channels: 4, stride: 2 }],
      hidden: [40],
      decoder: [{ channels: 4, stride: 2 }],
    },
    training: { batch: 6, evaluationRows: 8 },
    steps: 30,
    engine: compiledEngine({ threads: 1 }),
    runs: folder,
    name: 'run',
  });
  run = trained.folder;
  published = await exportBundle(run, exportOptions());
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The bundle again, in a folder of its own that a test may damage. */
async function another(): Promise<string> {
  return (await exportBundle(run, { ...exportOptions(), name: 'another' })).folder;
}

const noise = (name: string, shape: number[], count: number) =>
  fillNoise({ seed: 4, name, distribution: 'normal', shape, count });

describe('an exported bundle', () => {
  it('comes with a warning where the run has not ended', async () => {
    const warnings: string[] = [];
    const onWarning = (message: string) => void warnings.push(message);
    const of = (message: string) => /is at step/.test(message);
    await exportBundle(run, { ...exportOptions(), name: 'whole', onWarning });
    expect(warnings.filter(of)).toEqual([]);
    const stopping = new AbortController();
    const { folder: stopped } = await train({
      ...{ family: 'vae', data: dataset, configuration: { latent: 3, hidden: [40] }, steps: 30, name: 'stopped' },
      training: { batch: 6, evaluationRows: 8 },
      engine: compiledEngine({ threads: 1 }),
      runs: folder,
      signal: stopping.signal,
      callbacks: [{ onStepEnd: ({ step }) => void (step === 4 && stopping.abort()) }],
    });
    await exportBundle(stopped, { ...exportOptions(), name: 'stopped', onWarning });
    expect(warnings.filter(of)).toEqual(['stopped is at step 4 of 30: the bundle is of its newest checkpoint']);
  });

  it('verifies', async () => {
    expect(await verify(published.folder)).toMatchObject({ name: 'tiny', version: 1, passed: true });
    const half = await verify(published.folder, { variant: 'float16' });
    expect(half).toMatchObject({ name: 'tiny', passed: true });
    const stated = published.manifest.variants[0]!.maxError;
    expect(Math.max(...half.golden.map(({ difference }) => difference))).toBeCloseTo(stated, 6);
  });

  it.each([1, 2, 7])('computes log_prob at batch %i as tfjs does from the averaged parameters', async batch => {
    const { model, variables } = buildModel(await readRunRecord(run));
    const state = averagedState((await latestCheckpoint(runPaths(run).checkpoints))!.state);
    const data = noise('x', [blobSize, blobSize, 1], batch).map(value => (value > 0 ? 1 : 0));
    const feeds = {
      x: { dtype: 'float32', shape: [batch, blobSize, blobSize, 1], data },
      epsilon: { dtype: 'float32', shape: [batch, 3], data: noise('epsilon', [3], batch) },
    } as const;
    const expected = await runOperation({ model, variables, state }, 'log_prob', feeds, eagerEngine());
    const generator = await openGenerator(published.folder, { threads: 1 });
    const found = await generator.runner.run('log_prob', feeds);
    await generator.close();
    found.log_prob!.data.forEach((value, i) => {
      expect(Math.abs(value / expected.log_prob!.data[i]! - 1)).toBeLessThan(1e-4);
    });
  });

  it('carries a calibration of as many sorted scores as were held out', async () => {
    const [score] = published.manifest.scores;
    const { data } = readNpy(await readFile(join(published.folder, score!.calibration!.table)));
    expect(data.length).toBe(8);
    expect([...data]).toEqual([...data].sort((a, b) => a - b));
  });

  it('gives held-out data p-values, and none that is less than 1/(n + 1)', async () => {
    const generator = await openGenerator(published.folder, { threads: 1 });
    const { data } = await dataset.test.read([0, 1, 2]);
    const rows = await generator.anomaly({ dtype: 'float32', shape: [3, blobSize, blobSize, 1], data });
    await generator.close();
    for (const { scores } of rows) expect(scores[0]!.pValue).toBeGreaterThanOrEqual(1 / 9);
  });

  it('has a float16 variant of half the weights, near the float32 values', async () => {
    const size = (path: string) => published.manifest.files.find(file => file.path === path)!.bytes;
    expect(size('float16/weights.bin')).toBeLessThan(0.6 * size('weights.bin'));
    const [generator, half] = [
      await openGenerator(published.folder, { threads: 1 }),
      await openGenerator(published.folder, { threads: 1, variant: 'float16' }),
    ];
    const [full, short] = [await generator.sample({ seed: 2, count: 4 }), await half.sample({ seed: 2, count: 4 })];
    await Promise.all([generator.close(), half.close()]);
    const differences = full.data.data.map((value, i) => Math.abs(value - short.data.data[i]!));
    expect(Math.max(...differences)).toBeGreaterThan(0);
    expect(Math.max(...differences)).toBeLessThan(0.01);
  });

  it('is evaluated to the figures in its manifest from its folder alone', async () => {
    const { metrics, context } = await evaluate(published.folder, dataset, { metric: 'nll', k: 5, limit: 8 });
    expect(context).toMatchObject({ binarisation: 'dynamic', k: 5, rows: 8, split: 'test' });
    const recorded = published.manifest.provenance!.metrics;
    for (const [name, value] of Object.entries(metrics)) expect(value).toBeCloseTo(recorded[`test.${name}`]!, 10);
    expect(metrics.nll_nats!).toBeLessThan(metrics.elbo_nats!);
    expect(metrics.kl_nats! + metrics.reconstruction_nats!).toBeCloseTo(metrics.elbo_nats!, 3);
    expect(metrics.bits_per_dim!).toBeCloseTo(metrics.nll_nats! / (blobSize ** 2 * Math.LN2), 10);
  });

  it('is drawn on sheets: samples, reconstructions and the way from one datum to another', async () => {
    const out = join(folder, 'sheets');
    const { metrics, context } = await evaluate(published.folder, dataset, { metric: 'samples', out });
    expect(Object.keys(metrics)).toEqual(['images.samples', 'images.reconstructions', 'images.interpolations']);
    expect(metrics['images.samples']).toBe(100);
    for (const name of ['samples', 'reconstructions', 'interpolations'])
      expect((await readFile(context[name] as string)).subarray(1, 4).toString()).toBe('PNG');
  });

  it('is measured by its codes: how many units it uses, and how well neighbours agree in class', async () => {
    const { metrics, context } = await evaluate(published.folder, dataset, { metric: 'latent' });
    expect(metrics.active_units).toBeLessThanOrEqual(metrics.latent_units!);
    expect(context.rows).toBe(dataset.test.count);
  });

  it('holds no state of training', async () => {
    const names = await readdir(published.folder, { recursive: true });
    expect(names.filter(name => /checkpoint|\.ckpt|moment|step/.test(name))).toEqual([]);
    const parameters = published.manifest.operations.find(({ name }) => name === 'log_prob')!.cost!.parameters;
    const weights = published.manifest.files.find(({ path }) => path === 'weights.bin')!.bytes;
    expect(weights).toBeLessThan(4 * parameters + 4096 * 20);
  });
});

describe('publishing', () => {
  it('takes the next version and leaves the ones before it alone', async () => {
    const first = await another();
    const before = await readFile(join(first, 'manifest.json'));
    const second = await another();
    expect([first, second].map(path => path.split('/').at(-1))).toEqual(['1', '2']);
    expect(await readFile(join(first, 'manifest.json'))).toEqual(before);
    expect((await readdir(join(first, '..'))).sort()).toEqual(['1', '2']);
  });

  it('makes damage be found by verify', async () => {
    const tampered = await another();
    const weights = await readFile(join(tampered, 'weights.bin'));
    weights[100] = weights[100]! ^ 1;
    await writeFile(join(tampered, 'weights.bin'), weights);
    await expect(verify(tampered)).rejects.toMatchObject({ reason: 'INTEGRITY_MISMATCH', field: 'weights.bin' });
    const longer = await another();
    await appendFile(join(longer, 'sample.onnx'), 'x');
    await expect(verify(longer)).rejects.toMatchObject({ reason: 'INTEGRITY_MISMATCH', field: 'sample.onnx' });
  });

  it('refuses a run that has no checkpoint', async () => {
    await rm(join(folder, 'empty'), { recursive: true, force: true });
    await expect(
      train({
        family: 'vae',
        data: dataset,
        steps: 1,
        runs: folder,
        name: 'empty',
        callbacks: [
          {
            onTrainBegin: () => {
              throw new Error('killed');
            },
          },
        ],
      }),
    ).rejects.toThrow('killed');
    await expect(exportBundle(join(folder, 'empty'), exportOptions())).rejects.toMatchObject({ field: 'run' });
  });
});
