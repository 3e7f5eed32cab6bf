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
  busy: boolean;
  startedAt: number;
  /** Losses in a row within `quickLossMs` of the start. */
  quickLosses: number;
}

const quickLossMs = 2_000;
const longestPauseMs = 5_000;

export class ExecutorPool<Model extends Loadable> {
  readonly #slots: Slot[] = [];
  readonly #pings: NodeJS.Timeout;
  #restarts = 0;
  #closed = false;

  constructor(private readonly settings: PoolSettings) {
    for (let i = 0; i < settings.count; i++) {
      const slot = { executor: new Executor(settings), busy: false, startedAt: performance.now(), quickLosses: 0 };
      this.#slots.push(slot);
      void this.#keepAlive(slot);
    }
    this.#pings = setInterval(() => this.#pingIdle(), settings.pingIntervalMs);
    this.#pings.unref();
  }

  get size(): number {
    return this.#slots.length;
  }

  get restarts(): number {
    return this.#restarts;
  }

  get pids(): number[] {
    return this.#slots.flatMap(slot => slot.executor.pid ?? []);
  }

  /** Runs on a free executor; the caller keeps at most `size` runs going. EXECUTOR_LOST where the process died on it. */
  async run(model: Model, operation: Operation, feeds: Tensors): Promise<{ outputs: Tensors; milliseconds: number }> {
    const free = this.#slots.filter(slot => !slot.busy);
    const slot = free.find(candidate => candidate.executor.alive) ?? free[0];
    if (slot === undefined) throw new GenserveError('INTERNAL', 'every executor is busy');
    slot.busy = true;
    try {
      const executor = await this.#living(slot);
      await loadSession(executor, model, operation.name);
      return await executor.run(sessionKey(model, operation.name), feeds);
    } finally {
      slot.busy = false;
    }
  }

  /** Makes the session in every executor, so that no request waits for it. */
  async prepare(model: Model, operation: string): Promise<void> {
    for (const { executor } of this.#slots) await loadSession(executor, model, operation);
  }

  async unload(model: Model, operations: readonly string[]): Promise<void> {
    for (const { executor } of this.#slots) {
      for (const operation of operations) {
        // A lost executor has nothing left to unload.
        if (executor.alive) await executor.unload(sessionKey(model, operation)).catch(() => undefined);
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#pings);
    await Promise.all(this.#slots.map(slot => slot.executor.kill()));
  }

  async #living(slot: Slot): Promise<Executor> {
    while (!slot.executor.alive) {
      if (this.#closed) throw new GenserveError('MODEL_UNAVAILABLE', 'the server is shutting down');
      await pause(10);
    }
    return slot.executor;
  }

  /** Starts a new process whenever the slot's ends; ever later where it ends at once. */
  async #keepAlive(slot: Slot): Promise<void> {
    for (;;) {
      await slot.executor.ended;
      if (this.#closed) return;
      this.#restarts += 1;
      const quick = performance.now() - slot.startedAt < quickLossMs;
      slot.quickLosses = quick ? slot.quickLosses + 1 : 0;
      if (slot.quickLosses > 1) await pause(Math.min(longestPauseMs, 100 * 2 ** slot.quickLosses));
      if (this.#closed) return;
      slot.executor = new Executor(this.settings);
      slot.startedAt = performance.now();
    }
  }

  /** An idle executor that does not answer is killed by its own time limit, and replaced. */
  #pingIdle(): void {
    for (const { executor, busy } of this.#slots) {
      if (!busy && executor.alive) executor.ping().catch(() => undefined);
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
