import { mkdtempSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { compiledEngine } from '../engine/compiled.js';
import type { State } from '../engine/program.js';
import { exportBundle } from '../export/export-bundle.js';
import { PARAMETERS_FILE } from '../export/parameters.js';
import { averagedState } from '../optim/average.js';
import { blobDataset } from '../testing/blobs.js';
import type { Callbacks } from './callbacks.js';
import { latestCheckpoint } from './checkpoint.js';
import { runPaths } from './run-folder.js';
import { type TrainOptions, train } from './train.js';

const dataset = blobDataset(8);
const folder = mkdtempSync(join(tmpdir(), 'genserve-init-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A learning rate too small to move a float32. */
const standing = { optimiser: { name: 'sgd', learningRate: 1e-30 } };

const options = (name: string, more: Partial<TrainOptions> & Pick<TrainOptions, 'family'>): TrainOptions => ({
  data: dataset,
  training: { batch: 6, evaluationRows: 8 },
  steps: 3,
  engine: compiledEngine({ threads: 1 }),
  runs: join(folder, 'runs'),
  name,
  ...more,
});

async function stateOf(run: string): Promise<State> {
  return averagedState((await latestCheckpoint(runPaths(run).checkpoints))!.state);
}

const bundleOf = async (run: string, name: string) =>
  (
    await exportBundle(run, {
      ...{ out: join(folder, 'models'), name, dataset },
      ...{ calibrationRows: 8, evaluation: { rows: 8, k: 1 } },
    })
  ).folder;

const vae = (name: string, more: Partial<TrainOptions> = {}): TrainOptions =>
  options(name, {
    family: 'vae',
    configuration: {
      latent: 3,
      encoder: [{ channels: 16, stride: 2 }, { channels: 32 }],
      hidden: [40],
      decoder: [{ channels: 16, stride: 2 }],
    },
    ...more,
  });

describe('a run that starts from a bundle', () => {
  it.each([
    ['convolutions, stored with their axes in another order', vae('vae')],
    [
      'inverses and products, whose factors the graphs do not hold',
      options('glow', { family: 'glow', configuration: { levels: 1, steps: 2, width: 32 } }),
    ],
    [
      'masks, under which values are of no account',
      options('gated-pixelcnn', { family: 'gated-pixelcnn', configuration: { layers: 2 } }),
    ],
  ])('has its parameters to the bit: %s', async (_, source) => {
    const { folder: run } = await train(source);
    const bundle = await bundleOf(run, `${source.name}`);
    const again = await train({
      ...{ ...source, name: `${source.name}-again`, seed: 9 },
      ...{ initFrom: bundle, steps: 1, training: { batch: 6, evaluationRows: 8, ...standing } },
    });
    const [before, after] = [await stateOf(run), await stateOf(again.folder)];
    let compared = 0;
    for (const [name, values] of after) {
      const masked = source.family === 'gated-pixelcnn';
      const expected = masked ? before.get(name)!.map((value, i) => (values[i] === 0 ? 0 : value)) : before.get(name);
      if (!name.startsWith('average/')) compared += values.length;
      expect(values, name).toEqual(expected);
    }
    expect(compared).toBeGreaterThan(100);
    const evaluate = async (name: string, from: string) => {
      const figures: number[] = [];
      const watch: Callbacks = { onEvaluate: ({ metrics }) => void figures.push(metrics.nll_nats!) };
      await train({
        ...{ ...source, name, initFrom: from, steps: 1, callbacks: [watch] },
        training: { batch: 6, evaluationRows: 8, ...standing },
      });
      return figures[0]!;
    };
    expect(await evaluate(`${source.name}-from-bundle`, bundle)).toBe(await evaluate(`${source.name}-from-run`, run));
  });

  it('keeps no copy of what the weights file holds', async () => {
    const { folder: run } = await train(vae('small'));
    const bundle = await bundleOf(run, 'small');
    expect((await stat(join(bundle, PARAMETERS_FILE))).size).toBeLessThan(
      0.3 * (await stat(join(bundle, 'weights.bin'))).size,
    );
  });

  it.each([
    ['another size', { latent: 4 }, /kernel is \[.*\] there and \[.*\] in this model/],
    ['a deeper network', { hidden: [40, 30] }, /is not there|in this model/],
  ])('refuses %s before anything is written, and says which parameter differs', async (name, changed, message) => {
    const { folder: run } = await train(vae(`for ${name}`));
    const before = await readdir(join(folder, 'runs'));
    const source = vae('other');
    const started = train({ ...source, initFrom: run, configuration: { ...source.configuration, ...changed } });
    await expect(started).rejects.toMatchObject({ field: 'initFrom', message: expect.stringMatching(message) });
    expect(await readdir(join(folder, 'runs'))).toEqual(before);
  });

  it('says where there is nothing to start from', async () => {
    await expect(train(vae('nothing', { initFrom: join(folder, 'nowhere') }))).rejects.toThrow(/nowhere is not there/);
  });
});
