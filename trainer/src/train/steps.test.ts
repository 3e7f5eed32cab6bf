import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { batches } from '../data/batches.js';
import { compiledEngine } from '../engine/compiled.js';
import { eagerEngine } from '../engine/eager.js';
import type { State } from '../engine/program.js';
import type { Family, StageSpec } from '../family.js';
import { constant } from '../nn/initialisers.js';
import type { Scope } from '../nn/variable.js';
import { blobDataset, blobSize } from '../testing/blobs.js';
import { tf } from '../trace/tensorflow.js';
import type { Callbacks } from './callbacks.js';
import { latestCheckpoint } from './checkpoint.js';
import { dataShape, stepFeeds } from './feeds.js';
import { prepareRun } from './run.js';
import { readRunRecord, runPaths } from './run-folder.js';
import { resume, type TrainOptions, train } from './train.js';

const dataset = blobDataset();
const BATCH = 4;
const RATE = 0.1;

/** A family that trains what `stages` makes of its scope. */
function familyOf(stages: (scope: Scope) => StageSpec[]): Family {
  const family: Family<object> = {
    name: 'several',
    paper: '',
    url: '',
    configuration: z.strictObject({}),
    presets: { only: {} },
    defaultPreset: 'only',
    training: { batch: BATCH, optimiser: { name: 'sgd', learningRate: RATE }, parameterAverage: 0 },
    build: (_, __, scope) => ({
      stages: stages(scope),
      operations: [],
      noises: [],
      likelihood: { kind: 'none', dimensions: 0, measure: '' },
      conditions: [],
    }),
  };
  // Family is opaque in its configuration where it is used.
  return family as unknown as Family;
}

/** A tracks the mean pixel in three updates a step; B tracks A, in every second step. */
const chase = familyOf(scope => {
  const a = scope.parameter('a', [1], constant(0));
  const b = scope.parameter('b', [1], constant(0));
  const seen = scope.statistic('seen', [1], constant(0));
  const half = (x: tf.Tensor) => tf.mul(0.5, tf.sum(tf.square(x)));
  return [
    {
      name: 'both',
      steps: [
        {
          name: 'leader',
          parameters: [a],
          noises: [{ name: 'jitter', distribution: 'uniform', shape: [] }],
          repeats: 3,
          loss({ data, noise }) {
            seen.assign(tf.add(seen.value, 1));
            return { loss: half(tf.sub(a.value, tf.add(tf.mean(data), tf.mean(noise.jitter!)))) };
          },
        },
        {
          name: 'follower',
          parameters: [b],
          noises: [],
          every: 2,
          loss: () => ({ loss: half(tf.sub(b.value, a.value)) }),
        },
      ],
    },
  ];
});

/** First x towards 1, then y towards x: x is frozen by then. */
const twoStages = familyOf(scope => {
  const x = scope.parameter('x', [1], constant(0));
  const y = scope.parameter('y', [1], constant(0));
  const fit = (name: string, parameter: typeof x, target: () => tf.Tensor) => ({
    name,
    parameters: [parameter],
    noises: [],
    coefficients: { at: (step: number) => step },
    loss: ({ coefficients }: { coefficients: Readonly<Record<string, tf.Tensor>> }) => ({
      loss: tf.mul(0.5, tf.sum(tf.square(tf.sub(parameter.value, target())))),
      metrics: { stage_step: coefficients.at! },
    }),
  });
  return [
    { name: 'first', steps: [fit('x', x, () => tf.tensor1d([1]))], until: 0.3 },
    { name: 'second', steps: [fit('y', y, () => x.value)] },
  ];
});

let runs: string;
beforeEach(async () => {
  runs = await mkdtemp(join(tmpdir(), 'genserve-steps-'));
});
afterEach(() => rm(runs, { recursive: true, force: true }));

const options = (family: Family, more: Partial<TrainOptions> = {}): TrainOptions => ({
  family,
  data: dataset,
  training: { schedule: { name: 'constant', warmUpSteps: 0 }, checkpointSeconds: 1e-9 },
  steps: 4,
  engine: compiledEngine({ threads: 1 }),
  runs,
  name: 'run',
  ...more,
});

async function stateOf(folder: string): Promise<State> {
  return (await latestCheckpoint(runPaths(folder).checkpoints))!.state;
}

describe('several steps over one state', () => {
  it('make their updates in order: each repeat by its own rows and noise, seeing the one before', async () => {
    const { folder, position } = await train(options(chase));
    const { spec } = (await prepareRun(await readRunRecord(folder), eagerEngine(), chase)).stages[0]!.steps[0]!;
    let [a, b] = [0, 0];
    const mean = (values: ArrayLike<number>) =>
      Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
    const source = batches(dataset.train, dataset.domain, { size: 3 * BATCH, seed: 0 });
    for (let step = 0; step < 4; step++) {
      const { value: batch } = await source.next();
      const feeds = stepFeeds(spec, batch, dataShape(dataset.domain), 0);
      for (let update = 0; update < 3; update++) {
        const rows = batch.data.subarray(update * BATCH * blobSize ** 2, (update + 1) * BATCH * blobSize ** 2);
        a -= RATE * (a - (mean(rows) + mean(feeds[`leader${update + 1}/jitter`]!.data)));
      }
      if (step % 2 === 0) b -= RATE * (b - a);
    }
    const state = await stateOf(folder);
    expect(state.get('a')![0]).toBeCloseTo(a, 5);
    expect(state.get('b')![0]).toBeCloseTo(b, 5);
    expect(state.get('seen')![0]).toBe(12);
    expect(position.updates).toEqual({ leader: 12, follower: 2 });
  });

  it('give the same state compiled and eager, Adam counting every repeat', async () => {
    const training = { ...options(chase).training, optimiser: { name: 'adam', learningRate: 0.1 } };
    const states = [];
    for (const [name, engine] of [
      ['compiled', compiledEngine({ threads: 1 })],
      ['eager', eagerEngine()],
    ] as const)
      states.push(await stateOf((await train(options(chase, { training, engine, name }))).folder));
    for (const [name, values] of states[0]!) expect(values[0], name).toBeCloseTo(states[1]!.get(name)![0]!, 5);
  });

  it('have learning rates of their own, and only steps that exist', async () => {
    const training = { ...options(chase).training, optimisers: { follower: { learningRate: 0.5 * RATE } } };
    const slow = await stateOf((await train(options(chase, { training, steps: 1 }))).folder);
    const fast = await stateOf((await train(options(chase, { steps: 1, name: 'fast' }))).folder);
    expect(slow.get('a')).toEqual(fast.get('a'));
    expect(slow.get('b')![0]).toBeCloseTo(0.5 * fast.get('b')![0]!, 6);
    const wrong = { optimisers: { critic: { learningRate: 1 } } };
    await expect(train(options(chase, { training: wrong, name: 'wrong' }))).rejects.toMatchObject({
      field: 'training.optimisers.critic',
      message: expect.stringContaining('leader, follower'),
    });
  });
});

describe('stages', () => {
  const training = {
    schedule: { name: 'linear', warmUpSteps: 0, decayFrom: 0 },
    parameterAverage: 0.5,
    checkpointSeconds: 1e-9,
  };

  it('follow one another at their share of the budget, each with its own schedule', async () => {
    const events: { at: number; rate: number }[] = [];
    const watch: Callbacks = {
      onStepEnd({ metrics, learningRate }) {
        events.push({ at: metrics.stage_step!, rate: learningRate });
      },
    };
    const { position } = await train(options(twoStages, { training, steps: 10, callbacks: [watch] }));
    expect(position.updates).toEqual({ x: 3, y: 7 });
    expect(events.map(({ at }) => at)).toEqual([0, 1, 2, 0, 1, 2, 3, 4, 5, 6]);
    expect(events[3]!.rate).toBeCloseTo(RATE, 6);
    expect(events[2]!.rate).toBeCloseTo(RATE / 3, 6);
  });

  it('freeze what is over at the values that are exported', async () => {
    const { folder } = await train(options(twoStages, { training, steps: 10 }));
    const state = await stateOf(folder);
    // Updates by RATE, 2/3 RATE and 1/3 RATE; the average forgets at 1 - min(0.5, (1 + t) / (10 + t)).
    let [x, average] = [0, 0];
    [1, 2, 3].forEach((t, index) => {
      x += RATE * (1 - index / 3) * (1 - x);
      average += (1 - (1 + t) / (10 + t)) * (x - average);
    });
    expect(state.get('average/x')![0]).toBeCloseTo(average, 5);
    expect(state.get('x')).toEqual(state.get('average/x'));
    expect(x).not.toBeCloseTo(average, 3);
  });

  it('killed in the second and resumed end with the bits of a run that was not', async () => {
    const whole = await train(options(twoStages, { training, steps: 10, name: 'whole' }));
    const dies: Callbacks = {
      onStepEnd({ step }) {
        if (step === 6) throw new Error('killed');
      },
    };
    await expect(train(options(twoStages, { training, steps: 10, name: 'killed', callbacks: [dies] }))).rejects.toThrow(
      'killed',
    );
    const resumed = await resume(join(runs, 'killed'), {
      dataset,
      family: twoStages,
      engine: compiledEngine({ threads: 1 }),
    });
    expect([...(await stateOf(resumed.folder))]).toEqual([...(await stateOf(whole.folder))]);
  });
});
