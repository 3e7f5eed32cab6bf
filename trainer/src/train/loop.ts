// The training loop.
import { setImmediate as breathe } from 'node:timers/promises';
import { GenserveError } from '@genserve/runtime';
import { type Batch, batches } from '../data/batches.js';
import type { Dataset } from '../data/dataset.js';
import type { State } from '../engine/program.js';
import { scheduled } from '../optim/schedule.js';
import { runBlock, type Turn } from './block.js';
import type { Callbacks } from './callbacks.js';
import type { Position } from './checkpoint.js';
import { EarlyStopping } from './early-stopping.js';
import type { Monitor } from './monitor.js';
import type { CompiledStage, PreparedRun } from './run.js';
import type { RunRecord } from './run-folder.js';
import { Spending } from './spending.js';
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
  readonly store: Store;
}

/** Where states are kept. */
export interface Store {
  save(position: Position, state: State): Promise<string>;
  /** Apart from the others: the state of the best evaluation. */
  saveBest(position: Position, state: State): Promise<string>;
  loadBest(): Promise<State>;
}

/** Trains until the budget is spent or `signal` aborts, and returns where it stopped. Changes `state`. */
export async function trainingLoop(state: State, options: LoopOptions): Promise<Position> {
  const { record, run, dataset, monitor, folder, start, signal, callbacks, store } = options;
  const { training, budget, domain, seed } = record;
  const spending = new Spending(budget, start.elapsedSeconds);
  const stopping = new EarlyStopping(training.earlyStopping, start.best, start.waited);
  const updates = { ...start.updates };
  let { step, skipped } = start;
  let stage = start.stage ?? { index: 0, firstStep: 0 };
  let failures = 0;
  let savedAt = performance.now();
  let evaluatedAt = -1;
  let epoch = Math.floor((step * run.rowsPerStep) / dataset.train.count);

  const position = (): Position => ({
    ...{ ...start, step, updates: { ...updates }, skipped, stage, elapsedSeconds: spending.elapsedSeconds() },
    ...(stopping.best && { best: stopping.best, waited: stopping.waited }),
  });
  const save = async () => {
    const path = await store.save(position(), state);
    savedAt = performance.now();
    await callbacks.onSave({ step, path });
  };
  const evaluate = async () => {
    evaluatedAt = step;
    const metrics = await monitor.evaluate(state);
    const samples = await monitor.sheet(folder, step, state);
    const elapsedSeconds = spending.elapsedSeconds();
    await callbacks.onEvaluate({ step, elapsedSeconds, metrics, ...(samples !== undefined && { samples }) });
    if (stopping.observe(step, metrics)) await store.saveBest(position(), state);
  };

  const rate = new Throughput();
  const { augmentation } = dataset;
  const stream = batches(dataset.train, domain, { size: run.rowsPerStep, seed, step, augmentation });
  await callbacks.onEpochBegin(epoch);
  while (spending.progress(step) < 1 && !signal?.aborted && !stopping.due) {
    if (spending.timeIsUp()) {
      await callbacks.onWarning(`the time was up at step ${step} of ${budget.steps}, before the schedules had ended`);
      break;
    }
    const index = stageAt(run.stages, spending.progress(step));
    if (index !== stage.index) {
      endStages(run.stages.slice(0, index), state);
      stage = { index, firstStep: step };
    }
    const current = run.stages[index]!;
    const turns: Turn[] = [];
    for (const batch of await take(stream, blockLength(run.stages, index, step, spending))) {
      if (batch.epoch !== epoch) {
        await callbacks.onEpochEnd(epoch);
        epoch = batch.epoch;
        await callbacks.onEpochBegin(epoch);
      }
      await callbacks.onStepBegin(batch.step + 1);
      const stageStep = batch.step - stage.firstStep;
      const share = (spending.progress(batch.step) - current.from) / (current.until - current.from);
      turns.push({ batch, stageStep, schedule: scheduled(training.schedule, stageStep, share) });
    }
    const outcomes = await runBlock(state, turns, { record, stage: current, updates, diagnose: failures === 0 });
    rate.add(performance.now(), turns.length);

    for (const [i, { metrics, nonFinite }] of outcomes.entries()) {
      const { batch, schedule } = turns[i]!;
      step = batch.step + 1;
      failures = nonFinite === undefined ? 0 : failures + 1;
      if (nonFinite !== undefined) skipped++;
      await callbacks.onStepEnd({
        ...{ step, epoch: batch.epoch, metrics, learningRate: training.optimiser.learningRate * schedule },
        progress: spending.progress(step),
        imagesPerSecond: run.rowsPerStep * rate.perSecond(),
        elapsedSeconds: spending.elapsedSeconds(),
        secondsLeft: spending.secondsLeft(step, rate.perSecond()),
        ...(nonFinite !== undefined && { nonFinite }),
      });
      if (failures > training.toleratedNonFinite) {
        await save();
        const message = `${nonFinite} was not finite in ${failures} steps in a row; lower the learning rate`;
        throw new GenserveError('NON_FINITE', message);
      }
    }
    if (Math.floor(step / training.evaluateEvery) > Math.floor((step - turns.length) / training.evaluateEvery))
      await evaluate();
    if (performance.now() - savedAt > 1000 * training.checkpointSeconds) await save();
    // Lets signals and timers in: a run of onnxruntime blocks the event loop.
    await breathe();
  }
  if (!signal?.aborted && evaluatedAt !== step && !stopping.due) await evaluate();
  if (stopping.best && !signal?.aborted) {
    for (const [name, values] of await store.loadBest()) state.set(name, values);
    if (stopping.due) {
      const { metric } = training.earlyStopping;
      await callbacks.onWarning(
        `stopped early at step ${step}: ${metric} has not improved since step ${stopping.best.step}, whose weights are kept`,
      );
    }
  }
  await save();
  return position();
}

/** The first stage that ends later than `progress`. */
function stageAt(stages: readonly CompiledStage[], progress: number): number {
  const index = stages.findIndex(({ until }) => progress < until);
  return index < 0 ? stages.length - 1 : index;
}

/** Steps to take in one run: as many as were compiled together, where the stage and the budget have so many left. */
function blockLength(stages: readonly CompiledStage[], index: number, step: number, spending: Spending): number {
  const count = stages[index]!.together?.count ?? 1;
  const last = spending.progress(step + count - 1);
  return last < 1 && stageAt(stages, last) === index ? count : 1;
}

async function take(stream: AsyncIterator<Batch>, count: number): Promise<Batch[]> {
  const taken: Batch[] = [];
  while (taken.length < count) taken.push((await stream.next()).value);
  return taken;
}

/** Steps a second over the last runs, evaluations and saves included only where they fell between. */
class Throughput {
  readonly #times: { time: number; steps: number }[] = [{ time: performance.now(), steps: 0 }];

  add(time: number, steps: number): void {
    this.#times.push({ time, steps });
    if (this.#times.length > 21) this.#times.shift();
  }

  perSecond(): number {
    const seconds = (this.#times.at(-1)!.time - this.#times[0]!.time) / 1000;
    const steps = this.#times.slice(1).reduce((sum, each) => sum + each.steps, 0);
    return seconds > 0 ? steps / seconds : 0;
  }
}
