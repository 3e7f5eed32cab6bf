// Orders the steps of all requests, joins those that may share a run, and bounds what waits.
// A batch starts as soon as an executor is free; batches grow by themselves while executors are busy.
import {
  abortError,
  GenserveError,
  type Operation,
  type Runner,
  type RunOptions,
  type Tensors,
  throwIfAborted,
} from '@genserve/runtime';

import { bytesOf, companionKey, joinRows, rowsOf, takeRows } from './batch.js';
import { Companions } from './companions.js';
import { CostModel } from './cost-model.js';
import { isResumable, shareOf } from './slices.js';

/** Runs whole batches: the executor pool, or anything that computes. */
export interface Backend<Model> {
  /** How many batches may run at once, now. */
  readonly size: number;
  /** Called whenever `size` has grown. */
  onReady(listener: () => void): void;
  run(model: Model, operation: Operation, feeds: Tensors): Promise<{ outputs: Tensors; milliseconds: number }>;
}

/** One version of a model as the scheduler sees it. */
export interface Schedulable {
  /** 'name/version' */
  readonly key: string;
  /** Under the very name that is asked for: "sample", or "sample#1" for a member of an ensemble. */
  operation(name: string): Operation;
  readonly costs: Map<string, CostModel>;
}

export interface SchedulerSettings {
  readonly maxRows: number;
  readonly maxDelayMs: number;
  readonly stepMs: number;
  readonly maxQueuedSteps: number;
  readonly maxQueuedBytes: number;
  /** How long steps wait while there is no executor at all. */
  readonly patienceMs: number;
}

interface Step<Model> {
  readonly model: Model;
  readonly operation: Operation;
  readonly feeds: Tensors;
  readonly rows: number;
  readonly bytes: number;
  readonly group: string;
  readonly settle: (outcome: { outputs: Tensors } | { error: unknown }) => void;
  /** Has lost its executor once: runs by itself, so that it cannot take others with it again. */
  retried: boolean;
  settled: boolean;
}

export class Scheduler<Model extends Schedulable> {
  readonly #queue: Step<Model>[] = [];
  readonly #companions: Companions;
  #queuedBytes = 0;
  #running = 0;
  #pumpScheduled = false;
  #timer: NodeJS.Timeout | undefined;
  #patience: NodeJS.Timeout | undefined;

  constructor(
    private readonly backend: Backend<Model>,
    private readonly settings: SchedulerSettings,
  ) {
    this.#companions = new Companions(settings.maxDelayMs);
    backend.onReady(() => this.#schedulePump());
  }

  get queuedSteps(): number {
    return this.#queue.length;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /**
   * The runner of one request. Its first step may be refused as OVERLOADED; later ones are always taken, so that a
   * request which was accepted is not refused halfway.
   */
  runnerFor(model: Model): Runner {
    let admitted = false;
    return {
      run: async (name: string, feeds: Tensors, options: RunOptions = {}) => {
        const operation = model.operation(name);
        if (!admitted) this.#admit(bytesOf(feeds));
        admitted = true;
        return this.#enqueue(model, operation, feeds, options.signal);
      },
      rowsPerStep: name => this.#rowsPerStep(model, name),
      close: async () => {},
    };
  }

  #admit(bytes: number): void {
    const { maxQueuedSteps, maxQueuedBytes } = this.settings;
    if (this.#queue.length < maxQueuedSteps && this.#queuedBytes + bytes <= maxQueuedBytes) return;
    if (bytes > maxQueuedBytes) {
      throw new GenserveError('PAYLOAD_TOO_LARGE', `${bytes} bytes of tensors; the queue holds ${maxQueuedBytes}`);
    }
    const waitMs = this.#queue.reduce(
      (sum, step) => sum + costOf(step.model, step.operation.name).predictMs(step.rows),
      0,
    );
    throw new GenserveError('OVERLOADED', `the queue is full (${this.#queue.length} steps); try again later`, {
      retryAfterMs: Math.round(Math.min(30_000, Math.max(100, waitMs / Math.max(1, this.backend.size)))),
    });
  }

  #enqueue(model: Model, operation: Operation, feeds: Tensors, signal?: AbortSignal): Promise<Tensors> {
    throwIfAborted(signal);
    return new Promise((resolve, reject) => {
      const settle: Step<Model>['settle'] = outcome => {
        if (step.settled) return;
        step.settled = true;
        signal?.removeEventListener('abort', onAbort);
        if ('error' in outcome) reject(outcome.error);
        else resolve(outcome.outputs);
      };
      const onAbort = (): void => {
        this.#remove(step);
        if (signal !== undefined) settle({ error: abortError(signal) });
      };
      const step: Step<Model> = {
        model,
        operation,
        feeds,
        rows: rowsOf(operation, feeds),
        bytes: bytesOf(feeds),
        group: `${model.key}/${operation.name}|${companionKey(operation, feeds)}`,
        settle,
        retried: false,
        settled: false,
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#push(step);
    });
  }

  #push(step: Step<Model>): void {
    this.#queue.push(step);
    this.#queuedBytes += step.bytes;
    this.#schedulePump();
  }

  #remove(step: Step<Model>): void {
    const index = this.#queue.indexOf(step);
    if (index < 0) return;
    this.#queue.splice(index, 1);
    this.#queuedBytes -= step.bytes;
  }

  /** Once the requests that arrived in this turn of the event loop are all queued. */
  #schedulePump(): void {
    if (this.#pumpScheduled) return;
    this.#pumpScheduled = true;
    setImmediate(() => {
      this.#pumpScheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    clearTimeout(this.#timer);
    if (this.backend.size > 0) {
      clearTimeout(this.#patience);
      this.#patience = undefined;
    } else if (this.#queue.length > 0) {
      this.#patience ??= setTimeout(() => this.#giveUp(), this.settings.patienceMs);
    }
    while (this.#running < this.backend.size) {
      const batch = this.#nextBatch();
      if (batch === undefined) return;
      void this.#runBatch(batch);
    }
  }

  /** No executor has come back: better an answer than none. */
  #giveUp(): void {
    this.#patience = undefined;
    const error = new GenserveError('EXECUTOR_LOST', 'no process is there to run the model; try again later');
    for (const step of [...this.#queue]) {
      this.#remove(step);
      step.settle({ error });
    }
  }

  /** The oldest group that need not wait for companions; sets a timer where all do. */
  #nextBatch(): Step<Model>[] | undefined {
    const now = performance.now();
    const seen = new Set<string>();
    let shortestWaitMs = Number.POSITIVE_INFINITY;
    for (const step of this.#queue) {
      if (seen.has(step.group)) continue;
      seen.add(step.group);
      const batch = this.#membersOf(step);
      const { fixedMs } = costOf(step.model, step.operation.name).fit();
      const waitMs = step.retried ? 0 : this.#companions.waitMs(step.group, batch.length, fixedMs, now);
      if (waitMs === 0) {
        for (const member of batch) this.#remove(member);
        return batch;
      }
      shortestWaitMs = Math.min(shortestWaitMs, waitMs);
    }
    if (Number.isFinite(shortestWaitMs)) this.#timer = setTimeout(() => this.#pump(), shortestWaitMs);
    return undefined;
  }

  #membersOf(first: Step<Model>): Step<Model>[] {
    if (first.retried) return [first];
    const limit = this.#joinLimit(first);
    const members = [first];
    let rows = first.rows;
    for (const step of this.#queue) {
      if (step === first || step.group !== first.group || step.retried || rows + step.rows > limit) continue;
      members.push(step);
      rows += step.rows;
    }
    return members;
  }

  async #runBatch(batch: readonly Step<Model>[]): Promise<void> {
    const [first] = batch;
    if (first === undefined) return;
    const { model, operation } = first;
    const rows = batch.reduce((sum, step) => sum + step.rows, 0);
    this.#running += 1;
    try {
      const feeds = joinRows(
        operation,
        batch.map(step => step.feeds),
      );
      const { outputs, milliseconds } = await this.backend.run(model, operation, feeds);
      costOf(model, operation.name).observe(rows, milliseconds / shareOf(operation, first.feeds));
      let start = 0;
      for (const step of batch) {
        step.settle({ outputs: takeRows(operation.outputs, outputs, start, step.rows, rows) });
        start += step.rows;
      }
    } catch (error) {
      for (const step of batch) this.#retryOrFail(step, error);
    } finally {
      this.#running -= 1;
      this.#companions.ended(first.group, batch.length, performance.now());
      this.#schedulePump();
    }
  }

  /** Operations are pure: a step whose executor died runs once more. */
  #retryOrFail(step: Step<Model>, error: unknown): void {
    if (step.settled) return;
    const lost = error instanceof GenserveError && error.reason === 'EXECUTOR_LOST';
    if (!lost || step.retried) {
      step.settle({ error });
      return;
    }
    step.retried = true;
    this.#queue.unshift(step);
    this.#queuedBytes += step.bytes;
  }

  /** What callers should ask for at once; below 1, the share of a picture (see `Runner.rowsPerStep`). */
  #rowsPerStep(model: Model, name: string): number {
    const { stepMs, maxRows } = this.settings;
    const operation = model.operation(name);
    // Members of an ensemble are alike: the first that has run speaks for all.
    const measured = [name, ...operation.members.map((_, member) => `${name}#${member}`)];
    const cost = costOf(model, measured.find(candidate => model.costs.has(candidate)) ?? name);
    const rows = cost.rowsWithin(stepMs, maxRows);
    return rows === 1 && isResumable(operation) ? cost.shareWithin(stepMs) : rows;
  }

  #joinLimit({ model, operation, feeds }: Step<Model>): number {
    const { stepMs, maxRows } = this.settings;
    const cost = costOf(model, operation.name);
    return shareOf(operation, feeds) < 1 ? cost.rowsOfSlice(maxRows) : cost.rowsWithin(stepMs, maxRows);
  }
}

function costOf(model: Schedulable, operation: string): CostModel {
  const known = model.costs.get(operation);
  if (known !== undefined) return known;
  const cost = new CostModel();
  model.costs.set(operation, cost);
  return cost;
}
