// The training loop.
import { setImmediate as breathe } from 'node:timers/promises';
import { GenserveError, type Tensors } from '@genserve/runtime';
import { batches } from '../data/batches.js';
import type { Dataset } from '../data/dataset.js';
import type { State } from '../engine/program.js';
import { scheduled } from '../optim/schedule.js';
import type { Callbacks } from './callbacks.js';
import type { Position } from './checkpoint.js';
import { dataShape, stepFeeds } from './feeds.js';
import type { Monitor } from './monitor.js';
import type { CompiledStage, PreparedRun } from './run.js';
import type { RunRecord } from './run-folder.js';
import { optimiserOf } from './settings.js';
import { endStages } from './stages.js';

export interface LoopOptions {
  readonly record: RunRecord;
  readonly run: PreparedRun;
  readonly dataset: Dataset;
  readonly monitor: Monitor;
  readonly folder: string;
  readonly start: Position;
  readonly signal?: AbortSignal | undefined;
  readonly callbacks: Required<Callbacks>;
  save(position: Position, state: State): Promise<string>;
}

/** Trains until the budget is spent or `signal` aborts, and returns where it stopped. Changes `state`. */
export async function trainingLoop(state: State, options: LoopOptions): Promise<Position> {
  const { record, run, dataset, monitor, folder, start, signal, callbacks } = options;
  const { training, budget, domain, seed } = record;
  const startedAt = performance.now() - 1000 * start.elapsedSeconds;
  const elapsed = () => (performance.now() - startedAt) / 1000;
  const minutesSpent = () => elapsed() / 60 / (budget.minutes ?? Number.POSITIVE_INFINITY);
  const spent = (step: number) => Math.min(1, budget.steps === undefined ? minutesSpent() : step / budget.steps);
  const updates = { ...start.updates };
  let { step, skipped } = start;
  let stage = start.stage ?? { index: 0, firstStep: 0 };
  let failures = 0;
  let savedAt = performance.now();
  let epoch = Math.floor((step * run.rowsPerStep) / dataset.train.count);
  const position = (): Position => {
    return { ...start, step, updates: { ...updates }, skipped, stage, elapsedSeconds: elapsed() };
  };
  const save = async () => {
    const path = await options.save(position(), state);
    savedAt = performance.now();
    await callbacks.onSave({ step, path });
  };
  const evaluate = async () => {
    const metrics = await monitor.evaluate(state);
    const samples = await monitor.sheet(folder, step, state);
    await callbacks.onEvaluate({ step, elapsedSeconds: elapsed(), metrics, ...(samples !== undefined && { samples }) });
  };

  const shape = dataShape(domain);
  const rate = new Throughput(run.rowsPerStep);
  await callbacks.onEpochBegin(epoch);
  for await (const batch of batches(dataset.train, domain, { size: run.rowsPerStep, seed, step })) {
    const progress = spent(step);
    if (progress >= 1 || signal?.aborted) break;
    if (minutesSpent() >= 1) {
      await callbacks.onWarning(`the time was up at step ${step} of ${budget.steps}, before the schedules had ended`);
      break;
    }
    if (batch.epoch !== epoch) {
      await callbacks.onEpochEnd(epoch);
      epoch = batch.epoch;
      await callbacks.onEpochBegin(epoch);
    }
    const index = stageAt(run.stages, progress);
    if (index !== stage.index) {
      endStages(run.stages.slice(0, index), state);
      stage = { index, firstStep: step };
    }
    const { from, until, steps } = run.stages[index]!;
    const stageStep = step - stage.firstStep;
    const schedule = scheduled(training.schedule, stageStep, (progress - from) / (until - from));

    const metrics: Record<string, number> = {};
    let nonFinite: string | undefined;
    for (const { spec, program, executable } of steps) {
      if (stageStep % (spec.every ?? 1) !== 0) continue;
      const done = updates[spec.name] ?? 0;
      const before = new Map(state);
      const { learningRate } = optimiserOf(training, spec.name);
      const feeds = {
        ...stepFeeds(spec, batch, shape, seed, training.batch),
        ...program.scalars(done + 1, stageStep, learningRate * schedule),
      };
      const values = scalars(await executable.run(feeds, state), steps.length > 1 ? `${spec.name}/` : '');
      const wrong = Object.keys(values).find(name => !Number.isFinite(values[name]));
      if (wrong === undefined) updates[spec.name] = done + (spec.repeats ?? 1);
      else {
        // Engines put new arrays in the state and leave the old ones alone: the update is undone by putting them back.
        for (const [name, value] of before) state.set(name, value);
        nonFinite ??= wrong;
      }
      Object.assign(metrics, values);
    }
    step++;
    failures = nonFinite === undefined ? 0 : failures + 1;
    if (nonFinite !== undefined) skipped++;
    rate.add(performance.now());

    const elapsedSeconds = elapsed();
    await callbacks.onStepEnd({
      step,
      epoch,
      metrics,
      learningRate: training.optimiser.learningRate * schedule,
      progress: spent(step),
      imagesPerSecond: rate.perSecond(),
      elapsedSeconds,
      secondsLeft: Math.min(
        budget.steps === undefined
          ? Number.POSITIVE_INFINITY
          : ((budget.steps - step) * run.rowsPerStep) / rate.perSecond(),
        budget.minutes === undefined ? Number.POSITIVE_INFINITY : Math.max(0, 60 * budget.minutes - elapsedSeconds),
      ),
      ...(nonFinite !== undefined && { nonFinite }),
    });
    if (failures > training.toleratedNonFinite) {
      await save();
      throw new GenserveError(
        'NON_FINITE',
        `${nonFinite} was not finite in ${failures} steps in a row; lower the learning rate`,
      );
    }
    if (step % training.evaluateEvery === 0) await evaluate();
    if (performance.now() - savedAt > 1000 * training.checkpointSeconds) await save();
    // Lets signals and timers in: a run of onnxruntime blocks the event loop.
    await breathe();
  }
  if (!signal?.aborted && step % training.evaluateEvery !== 0) await evaluate();
  await save();
  return position();
}

/** The first stage that ends later than `progress`. */
function stageAt(stages: readonly CompiledStage[], progress: number): number {
  const index = stages.findIndex(({ until }) => progress < until);
  return index < 0 ? stages.length - 1 : index;
}

function scalars(outputs: Tensors, prefix: string): Record<string, number> {
  return Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [prefix + name, data[0]!]));
}

/** Rows a second over the last steps, evaluations and saves included only where they fell between. */
class Throughput {
  readonly #times: number[] = [performance.now()];

  constructor(private readonly rowsPerStep: number) {}

  add(time: number): void {
    this.#times.push(time);
    if (this.#times.length > 21) this.#times.shift();
  }

  perSecond(): number {
    const milliseconds = this.#times.at(-1)! - this.#times[0]!;
    return milliseconds > 0 ? (1000 * this.rowsPerStep * (this.#times.length - 1)) / milliseconds : 0;
  }
}
