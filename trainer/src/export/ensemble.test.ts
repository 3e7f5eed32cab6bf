import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fillNoise, float32 } from '@genserve/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Dataset } from '../data/dataset.js';
import { compiledEngine } from '../engine/compiled.js';
import { eagerEngine } from '../engine/eager.js';
import { familyNamed } from '../families/registry.js';
import type { Family } from '../family.js';
import { averagedState } from '../optim/average.js';
import { blobDataset, blobSize } from '../testing/blobs.js';
import { runOperation } from '../testing/tiny-vae.js';
import { latestCheckpoint } from '../train/checkpoint.js';
import { readInitial } from '../train/init-from.js';
import { buildModel } from '../train/run.js';
import { readRunRecord, runPaths } from '../train/run-folder.js';
import { train } from '../train/train.js';
import { readMembers } from './ensemble.js';
import { exportBundle } from './export-bundle.js';
import { openGenerator } from './open.js';
import type { Published } from './publish.js';
import { verify } from './verify.js';

const dataset = blobDataset();
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'genserve-ensemble-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface RunOptions {
  readonly family?: string;
  readonly configuration?: object;
  readonly seed: number;
  readonly name: string;
  readonly data?: Dataset;
}

const tiny = { latent: 2, hidden: [8] };

async function trained(options: RunOptions): Promise<string> {
  const { family = 'vae', configuration = tiny, seed, name, data = dataset } = options;
  const run = await train({
    ...{ family, configuration, seed, name, data },
    training: { batch: 6, evaluationRows: 8, optimiser: { learningRate: 0.05 } },
    steps: 4 + seed,
    engine: compiledEngine({ threads: 1 }),
    runs: folder,
  });
  return run.folder;
}

const exported = (run: string, ensemble: readonly string[]): Promise<Published> =>
  exportBundle(run, {
    ...{ ensemble, dataset },
    out: join(folder, 'models'),
    name: 'ensemble',
    calibrationRows: 8,
    evaluation: { rows: 8, k: 2 },
  });

describe('an ensemble', () => {
  let runs: string[];
  let published: Published;
  beforeAll(async () => {
    runs = [];
    for (const seed of [0, 1, 2]) runs.push(await trained({ seed, name: `member-${seed}` }));
    published = await exported(runs[0]!, runs.slice(1));
  });

  /** log p of binary rows under one run's checkpoint, by tfjs and Burda et al.'s eq. 8. */
  async function logProbs(run: string, x: Float32Array<ArrayBuffer>, rows: number, draws: number): Promise<number[]> {
    const { model, variables } = buildModel(await readRunRecord(run));
    const state = averagedState((await latestCheckpoint(runPaths(run).checkpoints))!.state);
    const spec = { seed: 0, name: 'epsilon', distribution: 'normal', shape: [2] } as const;
    const sums = new Array<number>(rows).fill(0);
    for (let draw = 0; draw < draws; draw++) {
      const noise = fillNoise({ ...spec, draw });
      const epsilon = float32(
        [rows, 2],
        Array.from({ length: 2 * rows }, (_, i) => noise[i % 2]!),
      );
      const feeds = { x: float32([rows, blobSize, blobSize, 1], x), epsilon };
      const found = await runOperation({ model, variables, state }, 'log_prob', feeds, eagerEngine());
      found.log_prob!.data.forEach((weight, row) => {
        sums[row]! += Math.exp(weight) / draws;
      });
    }
    return sums.map(Math.log);
  }

  it('scores a row by the variance less the mean of what its members say of it', async () => {
    const rows = 4;
    const noise = fillNoise({ seed: 3, name: 'x', distribution: 'uniform', shape: [rows, blobSize, blobSize] });
    const x = noise.map(Math.round);
    const { operations, draws, seed } = published.manifest.scores.find(({ name }) => name === 'waic')!;
    expect([operations, draws, seed]).toEqual([['log_prob', 'log_prob.2', 'log_prob.3'], 10, 0]);
    const members = await Promise.all(runs.map(run => logProbs(run, x, rows, draws)));
    const generator = await openGenerator(published.folder, { threads: 1 });
    const found = await generator.anomaly(float32([rows, blobSize, blobSize, 1], x), { scores: ['waic'] });
    await generator.close();
    for (const [row, { scores }] of found.entries()) {
      const [a, b, c] = members.map(values => values[row]!);
      // The variance as the mean square of the differences of all pairs.
      const variance = ((a! - b!) ** 2 + (b! - c!) ** 2 + (c! - a!) ** 2) / 9;
      expect(variance).toBeGreaterThan(0.01);
      expect(scores[0]!.value).toBeCloseTo(variance - (a! + b! + c!) / 3, 3);
      expect(scores[0]!.pValue).toBeGreaterThan(0);
    }
  });

  it('is calibrated like every other score, and takes part in their fusion', async () => {
    const { scores } = published.manifest;
    const waic = scores.find(({ name }) => name === 'waic')!;
    expect(waic.calibration!.count).toBe(8);
    expect(scores.find(({ name }) => name === 'fusion')!.statistics).toContain('waic');
  });

  it('keeps all members in one weights file, verifies, and states their seeds and steps', async () => {
    expect(await verify(published.folder)).toMatchObject({ passed: true });
    const weights = published.manifest.files.map(({ path }) => path).filter(path => path.endsWith('.bin'));
    expect(weights.sort()).toEqual(['float16/weights.bin', 'weights.bin']);
    expect(JSON.parse(published.manifest.provenance!.configuration)).toMatchObject({
      ensemble: [
        { seed: 1, steps: 5 },
        { seed: 2, steps: 6 },
      ],
    });
  });

  it('gives a further run its first model to start from', async () => {
    const [whole, first] = [await readInitial(published.folder), await readInitial(runs[0]!)];
    for (const [name, { values }] of whole) expect([...values], name).toEqual([...first.get(name)!.values]);
    expect(whole.size).toBe(first.size);
  });

  const other = { ...dataset, sha256: '1'.repeat(64) };
  it.each([
    ['family', { family: 'made', configuration: { hidden: [40] } }, 'family is "made", not "vae"'],
    ['configuration', { configuration: { latent: 2, hidden: [5] } }, 'configuration.hidden is [5], not [8]'],
    ['data', { data: other }, 'data.sha256 is "1111'],
    ['seed', { seed: 0 }, 'has the seed of member-0, 0'],
  ])('refuses a run of another %s (or of the same seed)', async (name, run, message) => {
    const second = await trained({ seed: 1, ...run, name: `other-${name}` });
    const refused = exported(runs[0]!, [second]);
    await expect(refused).rejects.toMatchObject({ reason: 'INVALID_ARGUMENT', field: 'ensemble' });
    await expect(refused).rejects.toThrow(message);
  });

  it('refuses what is no run, and more than five models', async () => {
    await expect(exported(runs[0]!, [folder])).rejects.toMatchObject({ reason: 'INVALID_ARGUMENT', field: 'run' });
    await expect(exported(runs[0]!, Array(5).fill(runs[1]))).rejects.toThrow('ensemble: has 6 models');
  });

  it('refuses models without a likelihood', async () => {
    const family = familyNamed('vae');
    const silent: Family = { ...family, build: (...parts) => ({ ...family.build(...parts), operations: [] }) };
    const refused = readMembers(await readRunRecord(runs[0]!), silent, [runs[1]!]);
    await expect(refused).rejects.toMatchObject({ reason: 'OPERATION_UNSUPPORTED', field: 'ensemble' });
  });
});
