// What the loop does besides stepping: runs of several steps, early stopping, callbacks, the guard against non-finite values.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { compiledEngine } from '../engine/compiled.js';
import { eagerEngine } from '../engine/eager.js';
import type { State } from '../engine/program.js';
import type { Family, Model, OperationSpec } from '../family.js';
import { constant } from '../nn/initialisers.js';
import type { Scope } from '../nn/variable.js';
import { blobDataset, blobSize } from '../testing/blobs.js';
import { named } from '../trace/scope.js';
import { tf } from '../trace/tensorflow.js';
import type { Callbacks } from './callbacks.js';
import { latestCheckpoint } from './checkpoint.js';
import { runPaths } from './run-folder.js';
import { resume, type TrainOptions, train } from './train.js';

const dataset = blobDataset();
let runs: string;
beforeEach(async () => {
  runs = await mkdtemp(join(tmpdir(), 'genserve-loop-'));
});
afterEach(() => rm(runs, { recursive: true, force: true }));

function familyOf(build: (scope: Scope) => Partial<Model> & Pick<Model, 'stages'>): Family {
  const family: Family<object> = {
    ...{ name: 'one', paper: '', url: '', configuration: z.strictObject({}), presets: { only: {} } },
    defaultPreset: 'only',
    training: { batch: 4, optimiser: { name: 'adam', learningRate: 0.05 }, parameterAverage: 0.9 },
    build: (_, __, scope) => ({
      ...{ operations: [], noises: [], likelihood: { kind: 'none', dimensions: 0, measure: '' }, conditions: [] },
      ...build(scope),
    }),
  };
  // Family is opaque in its configuration where it is used.
  return family as unknown as Family;
}

const options = (name: string, family: Family | string, more: Partial<TrainOptions> = {}): TrainOptions => ({
  ...{ family, data: dataset, engine: compiledEngine({ threads: 1 }), runs, name, steps: 19 },
  ...more,
  training: { evaluateEvery: 5, evaluationRows: 8, checkpointSeconds: 1000, ...more.training },
});

const stateOf = async (folder: string): Promise<State> => (await latestCheckpoint(runPaths(folder).checkpoints))!.state;

/** Two networks that chase each other: the second step reads what the first has just written. */
const pair = familyOf(scope => {
  const a = scope.parameter('a', [3], constant(0));
  const b = scope.parameter('b', [3], constant(1));
  const noises = [{ name: 'jitter', distribution: 'normal', shape: [3] }] as const;
  return {
    stages: [
      {
        name: 'both',
        steps: [
          {
            ...{ name: 'leader', parameters: [a], noises, repeats: 2 },
            coefficients: { pull: step => 1 / (step + 1) },
            loss: ({ data, noise, coefficients }) => ({
              loss: tf.mul(
                coefficients.pull!,
                tf.sum(tf.square(tf.sub(a.value, tf.add(tf.mean(data), tf.mean(noise.jitter!, 0))))),
              ),
            }),
          },
          {
            ...{ name: 'follower', parameters: [b], noises: [] },
            loss: () => {
              const gap = tf.sum(tf.square(tf.sub(b.value, a.value)));
              return { loss: gap, metrics: { distance: tf.sqrt(tf.add(gap, 1)) } };
            },
          },
        ],
      },
    ],
  };
});

describe('several steps in one run of the engine', () => {
  const small = {
    family: 'vae',
    configuration: {
      latent: 3,
      encoder: [{ channels: 4, stride: 2 }],
      hidden: [8],
      decoder: [{ channels: 4, stride: 2 }],
    },
  };
  it.each([
    ['of a model with two optimisers, one of which makes two updates', pair, {}],
    ['of a convolutional model', small.family, { configuration: small.configuration }],
  ])('give the numbers of single steps, %s', async (_, family, more) => {
    const results = [];
    for (const stepsPerRun of [1, 8]) {
      const losses: object[] = [];
      const { folder, position } = await train(
        options(`k${stepsPerRun}`, family, {
          ...more,
          training: { stepsPerRun, batch: 4 },
          callbacks: [
            { onStepEnd: ({ step, metrics, learningRate }) => void losses.push({ step, learningRate, ...metrics }) },
          ],
        }),
      );
      results.push({ losses, updates: position.updates, state: await stateOf(folder) });
    }
    const [single, together] = results;
    expect(together!.losses).toEqual(single!.losses);
    expect(together!.updates).toEqual(single!.updates);
    expect(together!.state).toEqual(single!.state);
  });

  it('are a loop in the eager engine too', async () => {
    const states: State[] = [];
    for (const stepsPerRun of [1, 4])
      states.push(
        await stateOf(
          (await train(options(`k${stepsPerRun}`, pair, { training: { stepsPerRun }, engine: eagerEngine() }))).folder,
        ),
      );
    expect(states[1]).toEqual(states[0]);
  });

  it('are refused where a step is taken now and then', async () => {
    const rare = familyOf(scope => {
      const a = scope.parameter('a', [1], constant(0));
      const loss = () => ({ loss: tf.sum(tf.square(a.value)) });
      return { stages: [{ name: 'only', steps: [{ name: 'now', parameters: [a], noises: [], every: 2, loss }] }] };
    });
    await expect(train(options('rare', rare, { training: { stepsPerRun: 8 } }))).rejects.toMatchObject({
      field: 'training.stepsPerRun',
    });
  });
});

/** Its held-out figure is |w - 1|, and w goes from 0 past 1 in steps of 0.1. */
const passing = familyOf(scope => {
  const w = scope.parameter('w', [1], constant(0));
  const logProb: OperationSpec = {
    name: 'log_prob',
    inputs: [{ name: 'x', role: 'data', shape: [blobSize, blobSize, 1] }],
    outputs: [{ name: 'log_prob', role: 'log_prob' }],
    run: ({ x }) => ({ log_prob: tf.sub(tf.mul(0, tf.mean(x!, [1, 2, 3])), tf.abs(tf.sub(w.value, 1))) }),
  };
  return {
    stages: [
      {
        name: 'only',
        steps: [{ name: 'fit', parameters: [w], noises: [], loss: () => ({ loss: tf.neg(tf.sum(w.value)) }) }],
      },
    ],
    operations: [logProb],
    likelihood: { kind: 'exact', dimensions: 1, measure: '' },
  };
});

describe('early stopping', () => {
  const training = {
    ...{ evaluateEvery: 2, parameterAverage: 0, optimiser: { name: 'sgd', learningRate: 0.1 } },
    schedule: { name: 'constant', warmUpSteps: 0 },
    earlyStopping: { patience: 3 },
  };

  it('ends the run some evaluations after the best, and keeps the weights that were best', async () => {
    const warnings: string[] = [];
    const { position, folder, finished } = await train(
      options('early', passing, {
        steps: 1000,
        training,
        callbacks: [{ onWarning: text => void warnings.push(text) }],
      }),
    );
    expect(finished).toBe(true);
    expect(position).toMatchObject({ step: 16, best: { step: 10 }, waited: 3 });
    expect((await stateOf(folder)).get('w')![0]).toBeCloseTo(1, 5);
    expect(warnings).toEqual([expect.stringMatching(/early at step 16: nll_nats .* since step 10/)]);
  });

  it('waits as long in a run that was resumed in between, and does not go on after its end', async () => {
    const controller = new AbortController();
    const stop: Callbacks = { onStepEnd: ({ step }) => void (step === 13 && controller.abort()) };
    const all = { steps: 1000, training };
    await train(options('cut', passing, { ...all, signal: controller.signal, callbacks: [stop] }));
    const again = { dataset, family: passing, engine: compiledEngine({ threads: 1 }) };
    for (const _ of [1, 2]) {
      const { position } = await resume(join(runs, 'cut'), again);
      expect(position).toMatchObject({ step: 16, best: { step: 10 } });
    }
    expect((await stateOf(join(runs, 'cut'))).get('w')![0]).toBeCloseTo(1, 5);
  });

  it('by a figure that evaluations do not give is refused, and says which they give', async () => {
    const wrong = { ...training, earlyStopping: { patience: 1, metric: 'fid' } };
    await expect(train(options('wrong', passing, { training: wrong }))).rejects.toThrow(/fid; they give: nll_nats/);
  });
});

describe('the guard against non-finite values', () => {
  /** The logarithm of w - 0.25 inside the module 'inner'; w falls to 0.2 in its third step. */
  const falling = familyOf(scope => {
    const w = scope.parameter('inner/w', [1], constant(0.5));
    const loss = () => {
      const log = named('inner', () => tf.log(tf.sub(w.value, 0.25)));
      return { loss: tf.sum(tf.add(w.value, tf.mul(0, log))), metrics: { w: tf.sum(w.value) } };
    };
    return { stages: [{ name: 'only', steps: [{ name: 'fit', parameters: [w], noises: [], loss }] }] };
  });
  const training = {
    ...{ optimiser: { name: 'sgd', learningRate: 0.1 }, schedule: { name: 'constant', warmUpSteps: 0 } },
    parameterAverage: 0,
  };

  it.each([1, 4])('says which tensor was first, %i steps a run', async stepsPerRun => {
    const said: string[] = [];
    const watch: Callbacks = { onStepEnd: ({ nonFinite }) => void (nonFinite && said.push(nonFinite)) };
    const { position } = await train(
      options('log', falling, { steps: 8, training: { ...training, stepsPerRun }, callbacks: [watch] }),
    );
    expect(position).toMatchObject({ skipped: 5, updates: { fit: 3 } });
    expect(said[0]).toBe('loss (first: Log in inner)');
    expect(said.slice(1)).toEqual(['loss', 'loss', 'loss', 'loss']);
  });
});

it('tells what happens in order: runs, epochs, steps, evaluations, saves', async () => {
  const events: string[] = [];
  const note = (event: string) => () => void events.push(event);
  await train(
    // The leader takes two batches of four a step, and an epoch is 20 rows: the fourth step begins another.
    options('told', pair, {
      ...{ steps: 4, training: { batch: 4, evaluateEvery: 3 } },
      callbacks: [
        {
          onTrainBegin: note('begin'),
          onTrainEnd: note('end'),
          onEpochBegin: epoch => void events.push(`epoch ${epoch}`),
          onEpochEnd: epoch => void events.push(`epoch ${epoch} over`),
          onStepBegin: step => void events.push(`step ${step}`),
          onStepEnd: ({ step }) => void events.push(`step ${step} over`),
          onEvaluate: ({ step }) => void events.push(`evaluated at ${step}`),
          onSave: note('saved'),
        },
      ],
    }),
  );
  expect(events).toEqual([
    ...[
      'begin',
      'epoch 0',
      'step 1',
      'step 1 over',
      'step 2',
      'step 2 over',
      'step 3',
      'step 3 over',
      'evaluated at 3',
    ],
    ...['epoch 0 over', 'epoch 1', 'step 4', 'step 4 over', 'evaluated at 4', 'saved', 'end'],
  ]);
  expect(await readdir(join(runs, 'told'))).toContain('report.html');
});
