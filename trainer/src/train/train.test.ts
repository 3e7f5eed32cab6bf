import { mkdtemp, readdir, readFile, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fillNoise, type Tensors } from '@genserve/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { compiledEngine } from '../engine/compiled.js';
import { eagerEngine } from '../engine/eager.js';
import type { State } from '../engine/program.js';
import type { Family } from '../family.js';
import { constant } from '../nn/initialisers.js';
import { blobDataset, blobSize } from '../testing/blobs.js';
import { tf } from '../trace/tensorflow.js';
import type { Callbacks } from './callbacks.js';
import { latestCheckpoint } from './checkpoint.js';
import { initialState } from './initial-state.js';
import { prepareRun } from './run.js';
import { readRunRecord, runPaths } from './run-folder.js';
import { resume, type TrainOptions, train } from './train.js';

const size = blobSize;
const dataset = blobDataset();

const configuration = {
  latent: 3,
  encoder: [{ channels: 4, stride: 2 }, { channels: 5 }],
  hidden: [],
  decoder: [{ channels: 5 }, { channels: 4, stride: 2 }],
  warmUpSteps: 4,
};

let runs: string;
beforeEach(async () => {
  runs = await mkdtemp(join(tmpdir(), 'genserve-train-'));
});
afterEach(() => rm(runs, { recursive: true, force: true }));

const options = (name: string, more: Partial<TrainOptions> = {}): TrainOptions => ({
  family: 'vae',
  data: dataset,
  preset: 'small',
  configuration,
  // Saved after every step, so that a run that dies has something to go on from.
  training: { batch: 6, evaluateEvery: 5, evaluationRows: 8, checkpointSeconds: 1e-9 },
  steps: 9,
  engine: compiledEngine({ threads: 1 }),
  runs,
  name,
  ...more,
});

async function stateOf(folder: string): Promise<State> {
  return (await latestCheckpoint(runPaths(folder).checkpoints))!.state;
}

function expectSameBits(a: State, b: State): void {
  expect([...a.keys()]).toEqual([...b.keys()]);
  for (const [name, values] of a)
    expect(Buffer.from(values.buffer).equals(Buffer.from(b.get(name)!.buffer)), name).toBe(true);
}

/** Ends a run without a word, as a kill does: nothing is saved after it. */
const dieAt = (step: number): Callbacks => ({
  onStepEnd(event) {
    if (event.step === step) throw new Error('killed');
  },
});

describe('a compiled training step', () => {
  it('equals tfjs on its cpu backend: losses and every variable after three steps, to 1e-4', async () => {
    const { folder } = await train(options('steps', { steps: 1 }));
    const record = await readRunRecord(folder);
    const results: { losses: number[]; state: State }[] = [];
    for (const engine of [compiledEngine({ threads: 1 }), eagerEngine()]) {
      const { stages, stateVariables } = await prepareRun(record, engine);
      const { program, executable } = stages[0]!.steps[0]!;
      const state = initialState(stateVariables, 11);
      const losses: number[] = [];
      for (let step = 0; step < 3; step++) {
        const draw = (name: string, shape: number[], distribution: 'normal' | 'uniform') =>
          fillNoise({ seed: 2, name, distribution, shape, count: 6, draw: step });
        const data = draw('data', [size, size, 1], 'uniform').map(value => (value < 0.4 ? 1 : 0));
        const feeds: Tensors = {
          data: { dtype: 'float32', shape: [6, size, size, 1], data },
          'elbo/epsilon': { dtype: 'float32', shape: [6, 3], data: draw('epsilon', [3], 'normal') },
          ...program.scalars(step + 1, step, 1e-2),
        };
        losses.push((await executable.run(feeds, state)).loss!.data[0]!);
      }
      results.push({ losses, state });
    }
    const [compiled, eager] = results as [(typeof results)[0], (typeof results)[0]];
    compiled.losses.forEach((loss, step) => {
      expect(Math.abs(loss / eager.losses[step]! - 1)).toBeLessThan(1e-4);
    });
    for (const [name, values] of eager.state) {
      const greatest = Math.max(...values.map(Math.abs));
      const difference = Math.max(...values.map((value, i) => Math.abs(value - compiled.state.get(name)![i]!)));
      expect(difference, name).toBeLessThan(1e-4 * greatest + 1e-7);
    }
  });
});

describe('a run', () => {
  it('lowers the loss, and leaves its record, log, samples and two checkpoints behind', async () => {
    const losses: number[] = [];
    const { folder, finished } = await train(
      options('whole', {
        steps: 60,
        callbacks: [{ onStepEnd: ({ metrics }) => void losses.push(metrics.loss!) }],
      }),
    );
    expect(finished).toBe(true);
    expect(losses.at(-1)!).toBeLessThan(0.9 * losses[0]!);
    const log = (await readFile(runPaths(folder).log, 'utf8'))
      .trim()
      .split('\n')
      .map(line => JSON.parse(line).event);
    expect(new Set(log)).toEqual(new Set(['begin', 'step', 'evaluate', 'save', 'end']));
    expect(await readdir(runPaths(folder).checkpoints)).toEqual(['step-000000059.ckpt', 'step-000000060.ckpt']);
    expect(await readdir(runPaths(folder).samples)).toContain('step-000000060.png');
  });

  it('killed and resumed ends with the bits of one that was not', async () => {
    const whole = await train(options('whole'));
    await expect(train(options('killed', { callbacks: [dieAt(5)] }))).rejects.toThrow('killed');
    const resumed = await resume(join(runs, 'killed'), { dataset, engine: compiledEngine({ threads: 1 }) });
    expect(resumed.position.step).toBe(9);
    expectSameBits(await stateOf(whole.folder), await stateOf(resumed.folder));
  });

  it('passes over a checkpoint that was cut short, says so, and goes on from the one before', async () => {
    const whole = await train(options('whole'));
    await expect(train(options('cut', { callbacks: [dieAt(5)] }))).rejects.toThrow('killed');
    const folder = join(runs, 'cut');
    await truncate(join(runPaths(folder).checkpoints, 'step-000000004.ckpt'), 1000);
    const warnings: string[] = [];
    let startStep = -1;
    await resume(folder, {
      dataset,
      engine: compiledEngine({ threads: 1 }),
      callbacks: [
        {
          onWarning: message => void warnings.push(message),
          onTrainBegin: info => {
            startStep = info.startStep;
          },
        },
      ],
    });
    expect(startStep).toBe(3);
    expect(warnings.join()).toMatch(/step-000000004.*cut short/);
    expectSameBits(await stateOf(whole.folder), await stateOf(folder));
  });

  it('stopped by its signal saves, and says that it is not finished', async () => {
    const controller = new AbortController();
    const stop: Callbacks = {
      onStepEnd({ step }) {
        if (step === 4) controller.abort();
      },
    };
    const result = await train(options('stopped', { signal: controller.signal, callbacks: [stop] }));
    expect(result.finished).toBe(false);
    expect(result.position.step).toBe(4);
    expect((await latestCheckpoint(runPaths(result.folder).checkpoints))!.position.step).toBe(4);
  });

  it('warns where it is resumed with other threads', async () => {
    await expect(train(options('threads', { callbacks: [dieAt(3)] }))).rejects.toThrow('killed');
    const warnings: string[] = [];
    await resume(join(runs, 'threads'), {
      dataset,
      engine: compiledEngine({ threads: 2 }),
      callbacks: [{ onWarning: message => void warnings.push(message) }],
    });
    expect(warnings.join()).toMatch(/1 thread.*2 threads.*last bits/);
  });

  it('ends when its minutes are up before its steps, and says so; schedules follow the steps', async () => {
    const warnings: string[] = [];
    const progress: number[] = [];
    const { position, finished } = await train(
      options('guarded', {
        steps: 1_000_000,
        minutes: 0.02,
        callbacks: [
          {
            onStepEnd: event => void progress.push(event.progress),
            onWarning: message => void warnings.push(message),
          },
        ],
      }),
    );
    expect(finished).toBe(true);
    expect(progress.at(-1)).toBe(position.step / 1_000_000);
    expect(warnings).toEqual([expect.stringContaining(`at step ${position.step} of 1000000`)]);
  });

  it('is not started twice in one folder', async () => {
    await train(options('once', { steps: 1 }));
    await expect(train(options('once', { steps: 1 }))).rejects.toMatchObject({
      reason: 'INVALID_ARGUMENT',
      field: 'name',
    });
  });
});

describe('settings', () => {
  it.each([
    ['an unknown preset', { preset: 'huge' }, 'preset'],
    ['an unknown key of the configuration', { configuration: { layers: 3 } }, 'configuration.layers'],
    ['an unknown key of the training settings', { training: { epochs: 3 } }, 'training.epochs'],
    ['a budget of no steps', { steps: 0 }, 'steps'],
    ['no budget', { steps: undefined }, 'steps'],
    ['an unknown family', { family: 'vea' }, 'family'],
  ] as const)('with %s are refused before anything is written', async (_, wrong, field) => {
    await expect(train(options('wrong', wrong))).rejects.toMatchObject({ field });
    expect(await readdir(runs)).toEqual([]);
  });
});

/** One weight whose loss is infinite at the steps where the data's noise says so. */
const fragile: Family<object> = {
  name: 'fragile',
  paper: '',
  url: '',
  configuration: z.strictObject({}),
  presets: { only: {} },
  defaultPreset: 'only',
  training: { batch: 6, optimiser: { name: 'adam', learningRate: 0.1 }, parameterAverage: 0.9 },
  build(_, __, scope) {
    const weight = scope.parameter('weight', [1], constant(1));
    return {
      stages: [
        {
          name: 'only',
          steps: [
            {
              name: 'fit',
              parameters: [weight],
              noises: [],
              coefficients: { scale: step => (step === 2 || step > 4 ? Number.POSITIVE_INFINITY : 1) },
              loss: ({ coefficients }) => ({ loss: tf.mul(tf.sum(tf.square(weight.value)), coefficients.scale!) }),
            },
          ],
        },
      ],
      operations: [],
      noises: [],
      likelihood: { kind: 'none', dimensions: 0, measure: '' },
      conditions: [],
    };
  },
};

describe('a step whose loss is not finite', () => {
  // Family is opaque in its configuration where it is used.
  const family = fragile as unknown as Family;

  it('is skipped, told, and leaves parameters and optimiser as they were', async () => {
    const skipped: number[] = [];
    const weights: number[] = [];
    const watch: Callbacks = {
      onStepEnd: event => void (event.nonFinite !== undefined && skipped.push(event.step)),
      onSave: async ({ path }) =>
        void weights.push((await latestCheckpoint(join(path, '..')))!.state.get('weight')![0]!),
    };
    const { position } = await train({
      ...options('skip'),
      family,
      preset: 'only',
      configuration: {},
      steps: 5,
      callbacks: [watch],
    });
    expect(skipped).toEqual([3]);
    expect(position).toMatchObject({ skipped: 1, updates: { fit: 4 } });
    expect(weights[2]).toBe(weights[1]);
    expect(weights[3]).toBeLessThan(weights[2]!);
  });

  it('ends the run with NON_FINITE when it comes too often', async () => {
    const training = { ...options('').training, toleratedNonFinite: 3 };
    const run = train({ ...options('end'), family, preset: 'only', configuration: {}, steps: 50, training });
    await expect(run).rejects.toMatchObject({ reason: 'NON_FINITE' });
  });
});
