// The executors of a server: loads sessions on first use, and replaces a process that was lost.
import { GenserveError, type GraphFiles, type Operation, type Tensors } from '@genserve/runtime';
import { Executor, type ExecutorSettings } from './client.js';

/** A model version whose graphs can be had, checked. */
export interface Loadable {
  /** 'name/version' */
  readonly key: string;
  graph(operation: string): Promise<GraphFiles>;
}

export interface PoolSettings extends ExecutorSettings {
  readonly count: number;
  readonly pingIntervalMs: number;
}

interface Slot {
  executor: Executor;
  /** Answers, and is not known to be dead. */
  ready: boolean;
  busy: boolean;
  /** Settles when the present executor is ready, or will never be. */
  starting: Promise<void>;
}

/** An executor that ends sooner is a sign that the next may, too. */
const quickLossMs = 2_000;
const longestPauseMs = 5_000;
const startTimeoutMs = 60_000;

export class ExecutorPool<Model extends Loadable> {
  readonly #slots: Slot[] = [];
  readonly #pings: NodeJS.Timeout;
  readonly #listeners = new Set<() => void>();
  #restarts = 0;
  #closed = false;

  constructor(private readonly settings: PoolSettings) {
    for (let i = 0; i < settings.count; i++) {
      const slot: Slot = { executor: new Executor(settings), ready: false, busy: false, starting: Promise.resolve() };
      this.#slots.push(slot);
      void this.#keepAlive(slot);
    }
    this.#pings = setInterval(() => this.#pingIdle(), settings.pingIntervalMs);
    this.#pings.unref();
  }

  /** Executors that are ready, at work or not. */
  get size(): number {
    return this.#slots.filter(slot => slot.ready).length;
  }

  get restarts(): number {
    return this.#restarts;
  }

  get pids(): number[] {
    return this.#slots.flatMap(slot => slot.executor.pid ?? []);
  }

  /** Called whenever an executor has become ready. */
  onReady(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Runs on a free executor; the caller keeps at most `size` runs going. EXECUTOR_LOST where the process died on it. */
  async run(model: Model, operation: Operation, feeds: Tensors): Promise<{ outputs: Tensors; milliseconds: number }> {
    const slot = this.#slots.find(candidate => candidate.ready && !candidate.busy);
    if (slot === undefined) throw new GenserveError('EXECUTOR_LOST', 'no process is free to run the model');
    slot.busy = true;
    try {
      await loadSession(slot.executor, model, operation.name);
      return await slot.executor.run(sessionKey(model, operation.name), feeds);
    } finally {
      slot.busy = false;
    }
  }

  /** Makes the session in every executor, so that no request waits for it. A lost executor makes it on first use. */
  async prepare(model: Model, operation: string): Promise<void> {
    for (const slot of this.#slots) {
      await slot.starting;
      await loadSession(slot.executor, model, operation).catch(error => {
        if (!(error instanceof GenserveError) || error.reason !== 'EXECUTOR_LOST') throw error;
      });
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#pings);
    await Promise.all(this.#slots.map(slot => slot.executor.kill()));
  }

  /** Starts a new process whenever the slot's ends; ever later where they end at once. */
  async #keepAlive(slot: Slot): Promise<void> {
    for (let quickLosses = 0; ; ) {
      const startedAt = performance.now();
      slot.starting = this.#awaitReady(slot, slot.executor);
      await slot.executor.ended;
      slot.ready = false;
      if (this.#closed) return;
      this.#restarts += 1;
      quickLosses = performance.now() - startedAt < quickLossMs ? quickLosses + 1 : 0;
      if (quickLosses > 1) await pause(Math.min(longestPauseMs, 100 * 2 ** quickLosses));
      if (this.#closed) return;
      slot.executor = new Executor(this.settings);
    }
  }

  async #awaitReady(slot: Slot, executor: Executor): Promise<void> {
    executor.onLost(() => {
      slot.ready = false;
    });
    try {
      await executor.ping(startTimeoutMs);
      slot.ready = true;
      for (const listener of this.#listeners) listener();
    } catch {
      // It was lost before it answered: the next one is on its way.
    }
  }

  /** An idle executor that does not answer is killed by its own time limit, and replaced. */
  #pingIdle(): void {
    for (const { executor, busy, ready } of this.#slots) {
      if (!busy && ready) executor.ping().catch(() => undefined);
    }
  }
}

function sessionKey(model: Loadable, operation: string): string {
  return `${model.key}/${operation}`;
}

function loadSession(executor: Executor, model: Loadable, operation: string): Promise<void> {
  return executor.load(sessionKey(model, operation), () => model.graph(operation));
}

function pause(milliseconds: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, milliseconds));
}
