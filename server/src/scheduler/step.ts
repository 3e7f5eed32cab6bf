// One run that a request waits for, from its arrival until it is answered.
import { abortError, GenserveError, type Operation, type Port, type Tensors } from '@genserve/runtime';
import type { Observer, StepEvent, Work } from '../observer.js';
import type { Priority, RequestScope } from '../request-scope.js';
import { bytesOf, companionKey, rowsOf } from './batch.js';
import type { CostModel } from './cost-model.js';

/** One version of a model as the scheduler sees it. */
export interface Schedulable {
  readonly name: string;
  readonly version: number;
  /** Another for every time that it was loaded. */
  readonly key: string;
  /** Under the very name that is asked for: "sample", or "sample#1" for a member of an ensemble. */
  operation(name: string): Operation;
  readonly costs: Map<string, CostModel>;
}

/** What a step tells of itself while it is served. */
export interface Timings {
  readonly batchMs: number;
  readonly computeMs: number;
}

/** Milliseconds by which a step is put before or after those of its age: a minute is nearly always all of them. */
const precedenceMs: Record<Priority, number> = { high: -60_000, normal: 0, low: 60_000 };

export class Step<Model extends Schedulable> {
  readonly rows: number;
  readonly bytes: number;
  /** Steps of one group may share a run. */
  readonly group: string;
  /** Smaller is earlier. */
  readonly order: number;
  readonly answer: Promise<Tensors>;
  /** Has lost its executor once: runs by itself, so that it cannot take others with it again. */
  retried = false;
  readonly #arrivedAt = performance.now();
  #closedAt: number | undefined;
  #settled = false;
  readonly #resolve: (outputs: Tensors) => void;
  readonly #reject: (error: unknown) => void;

  constructor(
    readonly model: Model,
    readonly operation: Operation,
    readonly feeds: Tensors,
    /** Of its outputs. */
    readonly wanted: readonly Port[],
    private readonly scope: Pick<RequestScope, 'signal' | 'deadline' | 'priority' | 'onStep'>,
    private readonly observer: Observer,
    /** Called as soon as nobody waits for it any more. */
    private readonly onAbandoned: (step: Step<Model>) => void,
  ) {
    this.rows = rowsOf(operation, feeds);
    this.bytes = bytesOf(feeds);
    this.group = `${model.key}/${operation.name}|${companionKey(operation, feeds)}`;
    this.order = this.#arrivedAt + precedenceMs[scope.priority ?? 'normal'];
    const { promise, resolve, reject } = deferred<Tensors>();
    this.answer = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    scope.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  get settled(): boolean {
    return this.#settled;
  }

  /** Its batch is closed: what it waited for until now was its turn. Fails, and is false, where its deadline has passed. */
  begin(now: number): boolean {
    const { deadline } = this.scope;
    if (deadline !== undefined && now > deadline)
      this.fail(new GenserveError('DEADLINE_EXCEEDED', 'the deadline passed while the request waited for its turn'));
    this.#closedAt = now;
    return !this.#settled;
  }

  succeed(outputs: Tensors, timings: Timings): void {
    if (this.#settle(timings, undefined)) this.#resolve(outputs);
  }

  fail(error: unknown, timings: Timings = { batchMs: 0, computeMs: 0 }): void {
    if (this.#settle(timings, error)) this.#reject(error);
  }

  /** False where it was settled before. */
  #settle({ batchMs, computeMs }: Timings, error: unknown): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.scope.signal.removeEventListener('abort', this.#onAbort);
    const event: StepEvent = {
      ...workOf(this),
      rows: this.rows,
      queueMs: (this.#closedAt ?? performance.now()) - this.#arrivedAt,
      batchMs,
      computeMs,
      ...(error !== undefined && { failure: GenserveError.from(error).reason }),
    };
    this.scope.onStep?.(event);
    this.observer.onStep?.(event);
    return true;
  }

  readonly #onAbort = (): void => {
    this.onAbandoned(this);
    this.fail(abortError(this.scope.signal));
  };
}

export function workOf({ model, operation }: { model: Schedulable; operation: Operation }): Work {
  return { model: model.name, version: model.version, operation: operation.name };
}

function deferred<Value>() {
  let resolve!: (value: Value) => void; // both are set before the constructor returns
  let reject!: (error: unknown) => void;
  const promise = new Promise<Value>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
