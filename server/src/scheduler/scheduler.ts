// Orders the steps of all requests, joins those that may share a run, and bounds what waits.
// A batch starts as soon as an executor is free; batches grow by themselves while executors are busy.
import { GenserveError, type Runner, type RunOptions, type Tensors, throwIfAborted } from '@genserve/runtime';
import type { Observer } from '../observer.js';
import type { RequestScope } from '../request-scope.js';
import { bytesOf, joinRows, takeRows } from './batch.js';
import { type Batch, Batching, type BatchLimits, costOf } from './batching.js';
import { Companions } from './companions.js';
import { withoutInitialState } from './initial-state.js';
import { checkRoom, predictWait, type QueueLimits } from './load.js';
import { Pace } from './pace.js';
import { Runs } from './runs.js';
import { shareOf, wantedOf } from './slices.js';
import { type Schedulable, Step, type Timings, workOf } from './step.js';
import { StepQueue } from './step-queue.js';

/** Runs whole batches: the executor pool, or anything that computes. */
export interface Backend<Model> {
  /** Executors that are ready. Each takes a second batch while it runs one, to begin as soon as that has ended. */
  readonly size: number;
  /** Called whenever `size` has grown. */
  onReady(listener: () => void): void;
  run(
    model: Model,
    operation: string,
    feeds: Tensors,
    expectedMs: number,
    wanted: readonly string[],
  ): Promise<{ outputs: Tensors; milliseconds: number; transportMs: number }>;
}

export interface SchedulerSettings extends QueueLimits, BatchLimits {
  readonly maxDelayMs: number;
  /** How long steps wait while there is no executor at all. */
  readonly patienceMs: number;
}

/** So long before a run should end, the executor is sent the next one. */
const leadMs = 2;

export class Scheduler<Model extends Schedulable> {
  readonly #queue = new StepQueue<Model>();
  readonly #companions: Companions;
  readonly #batching: Batching<Model>;
  readonly #running = new Runs();
  readonly #pace = new Pace();
  #pumpScheduled = false;
  #timer: NodeJS.Timeout | undefined;
  #patience: NodeJS.Timeout | undefined;

  constructor(
    private readonly backend: Backend<Model>,
    private readonly settings: SchedulerSettings,
    private readonly observer: Observer = {},
  ) {
    this.#companions = new Companions(settings.maxDelayMs);
    this.#batching = new Batching(this.#queue, this.#companions, settings);
    backend.onReady(() => this.#schedulePump());
  }

  get queuedSteps(): number {
    return this.#queue.length;
  }

  get queuedBytes(): number {
    return this.#queue.bytes;
  }

  /** By 'name/version'. */
  get queuedStepsByModel(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { model } of this.#queue.all()) {
      const key = `${model.name}/${model.version}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return counts;
  }

  /**
   * The runner of one request. It may be refused as OVERLOADED here, before anything is done for it, or at its first step,
   * whose bytes count; later steps are always taken, so that a request which was accepted is not refused halfway.
   */
  runnerFor(model: Model, scope: Pick<RequestScope, 'signal' | 'deadline' | 'priority' | 'onStep'>): Runner {
    this.#admit(model, 0, scope.deadline);
    let admitted = false;
    return {
      run: async (name: string, complete: Tensors, { signal = scope.signal, outputs }: RunOptions = {}) => {
        throwIfAborted(signal);
        const operation = model.operation(name);
        const feeds = withoutInitialState(operation, complete);
        if (!admitted) this.#admit(model, bytesOf(feeds), scope.deadline);
        admitted = true;
        const wanted = wantedOf(operation, feeds, outputs);
        const remove = (step: Step<Model>) => this.#queue.remove(step);
        const step = new Step(model, operation, feeds, wanted, { ...scope, signal }, this.observer, remove);
        this.#queue.push(step);
        this.#schedulePump();
        return await step.answer;
      },
      rowsPerStep: name => this.#batching.rowsPerStep(model, name),
      close: async () => {},
    };
  }

  #admit(model: Model, bytes: number, deadline = Number.POSITIVE_INFINITY): void {
    const now = performance.now();
    const runningMs = this.#running.leftMs(now);
    const { waitMs, joinedMs } = predictWait(this.#queue, model, runningMs, this.backend.size, step => ({
      cost: costOf(step.model, step.operation.name),
      joinLimit: this.#batching.joinLimit(step),
    }));
    const { factor } = this.#pace;
    const wait = { waitMs: waitMs * factor, joinedMs: joinedMs * factor };
    checkRoom(this.#queue, bytes, wait, deadline - now, this.settings);
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
    this.#watchPatience();
    for (;;) {
      const now = performance.now();
      const waitMs = this.#waitForExecutorMs(now);
      const batch = waitMs > 0 ? { waitMs } : this.#batching.next(now, this.#running.size >= this.backend.size);
      if ('waitMs' in batch) {
        if (Number.isFinite(batch.waitMs)) this.#timer = setTimeout(() => this.#pump(), Math.ceil(batch.waitMs));
        return;
      }
      void this.#run(batch);
    }
  }

  /** No executor has come back for so long: better an answer than none. */
  #watchPatience(): void {
    if (this.backend.size > 0) {
      clearTimeout(this.#patience);
      this.#patience = undefined;
    } else if (this.#queue.length > 0) {
      this.#patience ??= setTimeout(() => {
        this.#patience = undefined;
        const error = new GenserveError('EXECUTOR_LOST', 'no process is there to run the model; try again later');
        for (const step of this.#queue.all()) {
          this.#queue.remove(step);
          step.fail(error);
        }
      }, this.settings.patienceMs);
    }
  }

  /** 0 where an executor is free, or is about to be; Infinity where the next end of a run will tell. */
  #waitForExecutorMs(now: number): number {
    if (this.#queue.length === 0 || this.backend.size === 0) return Number.POSITIVE_INFINITY;
    if (this.#running.size < this.backend.size) return 0;
    if (this.#running.size >= 2 * this.backend.size) return Number.POSITIVE_INFINITY;
    return Math.max(0, this.#running.untilFreeMs(now) - leadMs);
  }

  async #run({ steps, closing }: Batch<Model>): Promise<void> {
    const [first] = steps;
    if (first === undefined) return;
    const { model, operation } = first;
    const rows = steps.reduce((sum, step) => sum + step.rows, 0);
    const cost = costOf(model, operation.name);
    const share = shareOf(operation, first.feeds);
    const startedAt = performance.now();
    const running = this.#running.add(cost.predictMs(rows) * share, this.backend.size, startedAt);
    const closed = { ...workOf(first), steps: steps.length, rows, closing };
    const wanted = operation.outputs.filter(port => steps.some(step => step.wanted.includes(port)));
    const names = wanted.map(({ name }) => name);
    try {
      const feeds = joinRows(
        operation,
        steps.map(step => step.feeds),
      );
      const answer = await this.backend.run(model, operation.name, feeds, running.expectedMs, names);
      const { outputs, milliseconds: computeMs, transportMs } = answer;
      this.#pace.observe(running.expectedMs, computeMs);
      cost.observe(rows, computeMs / share);
      cost.observeTransport(transportMs);
      let start = 0;
      for (const step of steps) {
        const part = takeRows(wanted, outputs, start, step.rows, rows);
        step.succeed(part, { computeMs, batchMs: performance.now() - startedAt - computeMs });
        start += step.rows;
      }
      this.observer.onBatch?.({ ...closed, computeMs });
    } catch (error) {
      const timings = { computeMs: 0, batchMs: performance.now() - startedAt };
      for (const step of steps) this.#retryOrFail(step, error, timings);
      this.observer.onBatch?.({ ...closed, computeMs: 0, failure: GenserveError.from(error).reason });
    } finally {
      const now = performance.now();
      this.#running.ended(running, now);
      this.#companions.ended(first.group, steps.length, now);
      this.#schedulePump();
    }
  }

  /** Operations are pure: a step whose executor died runs once more. */
  #retryOrFail(step: Step<Model>, error: unknown, timings: Timings): void {
    if (step.settled) return;
    const lost = error instanceof GenserveError && error.reason === 'EXECUTOR_LOST';
    if (!lost || step.retried) {
      step.fail(error, timings);
      return;
    }
    step.retried = true;
    this.#queue.push(step);
  }
}
