// The statistics extension: what each model has done since the server started, as an observer of its steps and batches.
// A model here is an operation; what the extension calls a request is a step of one.
import type { inference } from '@genserve/proto/wire';
import type { BatchEvent, Observer, StepEvent, Work } from '../observer.js';
import type { Services } from '../verbs/verb.js';
import { findEntry } from './models.js';

interface Tally {
  readonly name: string;
  readonly version: number;
  lastInference: number;
  rows: number;
  readonly success: inference.StatisticDuration;
  readonly fail: inference.StatisticDuration;
  readonly queue: inference.StatisticDuration;
  readonly batch: inference.StatisticDuration;
  readonly compute: inference.StatisticDuration;
  /** Computation by rows of the batch. */
  readonly batches: Map<number, inference.StatisticDuration>;
}

const nothing = (): inference.StatisticDuration => ({ count: 0, ns: 0 });

export class Statistics implements Observer {
  readonly #tallies = new Map<string, Tally>();

  onStep(step: StepEvent): void {
    const tally = this.#tallyOf(step);
    const { queueMs, batchMs, computeMs } = step;
    add(step.failure === undefined ? tally.success : tally.fail, queueMs + batchMs + computeMs);
    if (step.failure !== undefined) return;
    tally.lastInference = Date.now();
    tally.rows += step.rows;
    add(tally.queue, queueMs);
    add(tally.batch, batchMs);
    add(tally.compute, computeMs);
  }

  onBatch(event: BatchEvent): void {
    if (event.failure !== undefined) return;
    const { batches } = this.#tallyOf(event);
    const ofSize = batches.get(event.rows) ?? nothing();
    batches.set(event.rows, ofSize);
    add(ofSize, event.computeMs);
  }

  /** @param name '' for all; `<bundle>` is its `sample`. @param version 0 for all. */
  of(name: string, version: number): inference.ModelStatistics[] {
    const wanted = name === '' || name.includes('.') ? name : `${name}.sample`;
    return [...this.#tallies.values()]
      .filter(tally => (wanted === '' || tally.name === wanted) && (version === 0 || tally.version === version))
      .map(toMessage);
  }

  #tallyOf({ model, version, operation }: Work): Tally {
    // "sample#1" is a member of `sample`.
    const name = `${model}.${operation.split('#', 1)[0]}`;
    const key = `${name}/${version}`;
    const known = this.#tallies.get(key);
    if (known !== undefined) return known;
    const tally: Tally = {
      name,
      version,
      lastInference: 0,
      rows: 0,
      success: nothing(),
      fail: nothing(),
      queue: nothing(),
      batch: nothing(),
      compute: nothing(),
      batches: new Map(),
    };
    this.#tallies.set(key, tally);
    return tally;
  }
}

function add(duration: inference.StatisticDuration, milliseconds: number): void {
  duration.count += 1;
  duration.ns += Math.round(milliseconds * 1e6);
}

/** @throws MODEL_NOT_FOUND for a name that is neither '' nor a model's. */
export function statisticsOf({ repository, statistics }: Services, name: string, version: string) {
  if (name !== '') findEntry(repository, name, version);
  return statistics.of(name, version === '' ? 0 : Number(version));
}

/** Joining and parting the rows of a batch is told as `compute_input`: our observers measure them together. */
function toMessage(tally: Tally): inference.ModelStatistics {
  const { name, version, lastInference, rows, success, fail, queue, batch, compute, batches } = tally;
  const sizes = [...batches.entries()].sort(([a], [b]) => a - b);
  return {
    name,
    version: String(version),
    lastInference,
    inferenceCount: rows,
    executionCount: sizes.reduce((sum, [, { count }]) => sum + count, 0),
    inferenceStats: { success, fail, queue, computeInput: batch, computeInfer: compute, computeOutput: nothing() },
    batchStats: sizes.map(([batchSize, computeInfer]) => ({
      batchSize,
      computeInput: nothing(),
      computeInfer,
      computeOutput: nothing(),
    })),
  };
}
