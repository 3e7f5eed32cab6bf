// The executors of a server: loads sessions on first use, replaces a process that was lost, and brings new models in with
// a fresh process that takes over, so that neither their loading nor what an unloaded one leaves behind is felt.
import { GenserveError, type Tensors } from '@genserve/runtime';
import type { ExecutorEvent } from '../observer.js';
import { Executor, type ExecutorSettings, type RunAnswer } from './client.js';
import type { Load } from './messages.js';

/** A model version whose graphs an executor can load. */
export interface Loadable {
  /** Another for every time that it was loaded. */
  readonly key: string;
  load(operation: string): Load;
}

export interface PoolSettings extends ExecutorSettings {
  readonly count: number;
  readonly pingIntervalMs: number;
  readonly onExecutor?: ((event: ExecutorEvent) => void) | undefined;
}

export type Run = (operation: string, feeds: Tensors) => Promise<RunAnswer>;

/** What is run of a model before it serves. */
export interface WarmUp {
  /** They make onnxruntime allocate, and say nothing of later ones. */
  firstRuns(run: Run): Promise<void>;
  /** What runs cost. */
  measure(run: Run): Promise<void>;
}

interface Slot {
  executor: Executor;
  /** Answers, and is not known to be dead. */
  ready: boolean;
  /** Runs that it has been given and not answered. */
  running: number;
  /** On the clock of `performance.now()`: when the last of them should end. */
  freeAt: number;
}

/** An executor that ends sooner is a sign that the next may, too. */
const quickLossMs = 2_000;
const longestPauseMs = 5_000;

export class ExecutorPool<Model extends Loadable> {
  readonly #slots: Slot[] = [];
  /** Those of the slots, and those that will take over. */
  readonly #processes = new Set<Executor>();
  readonly #pings: NodeJS.Timeout;
  readonly #listeners = new Set<() => void>();
  #restarts = 0;
  /** Somebody has asked for a run: before that there is nobody to give way to. */
  #used = false;
  #closed = false;

  constructor(private readonly settings: PoolSettings) {
    for (let i = 0; i < settings.count; i++) {
      const slot: Slot = { executor: this.#start(), ready: false, running: 0, freeAt: 0 };
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

  get count(): number {
    return this.settings.count;
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

  /**
   * Runs on the executor that should be free first. The caller gives each at most two runs at once: the second is there
   * when the first ends, so that the process does not idle while an answer travels. EXECUTOR_LOST where it died on it.
   */
  async run(
    model: Model,
    operation: string,
    feeds: Tensors,
    expectedMs: number,
    wanted?: readonly string[],
  ): Promise<RunAnswer> {
    this.#used = true;
    const ready = this.#slots.filter(slot => slot.ready);
    const [first] = ready;
    if (first === undefined) throw new GenserveError('EXECUTOR_LOST', 'no process is there to run the model');
    const slot = ready.reduce((best, candidate) => (freeAt(candidate) < freeAt(best) ? candidate : best), first);
    const { executor } = slot;
    slot.freeAt = Math.max(slot.freeAt, performance.now()) + expectedMs;
    slot.running += 1;
    try {
      return await runOn(executor, model, operation, feeds, wanted);
    } finally {
      // Another executor may have taken the slot meanwhile.
      if (slot.executor === executor) slot.running -= 1;
    }
  }

  /**
   * Makes the model's sessions in every executor and runs them. While others are served it happens in fresh processes which
   * give way to them and then take over: to be called for one model at a time.
   */
  async prepare(model: Model, operations: readonly string[], { firstRuns, measure }: WarmUp): Promise<void> {
    for (const slot of this.#slots) {
      const serving = slot.executor.sessions.size > 0;
      const executor = serving ? this.#start() : slot.executor;
      try {
        if (serving && this.#used) executor.giveWay();
        await executor.started;
        if (serving) await copySessions(slot.executor, executor);
        for (const operation of operations) await loadSession(executor, model, operation);
        const run: Run = (operation, feeds) => runOn(executor, model, operation, feeds);
        await firstRuns(run);
        // At the rank at which it will serve.
        executor.riseAgain();
        await measure(run);
      } catch (error) {
        if (serving) await executor.kill();
        // One that was lost otherwise is replaced, and loads the model on first use.
        if (serving || !isLoss(error)) throw error;
        continue;
      }
      if (serving) this.#takeOver(slot, executor);
    }
  }

  /** Drops the model's sessions. */
  async unload(model: Model): Promise<void> {
    for (const { executor } of this.#slots) {
      for (const session of [...executor.sessions.keys()].filter(key => key.startsWith(sessionKey(model, ''))))
        await executor.unload(session).catch(() => undefined); // a lost executor has lost its sessions
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#pings);
    await Promise.all([...this.#processes].map(executor => executor.kill()));
  }

  #start(): Executor {
    const executor = new Executor(this.settings);
    this.#processes.add(executor);
    void executor.ended.then(() => this.#processes.delete(executor));
    return executor;
  }

  /** The one before ends once its runs have. */
  #takeOver(slot: Slot, executor: Executor): void {
    const before = slot.executor;
    Object.assign(slot, { executor, ready: true, running: 0, freeAt: 0 });
    void this.#keepAlive(slot);
    void before.ping().then(
      () => before.kill(),
      () => undefined,
    );
  }

  /** Starts a new process whenever the slot's ends; ever later where they end at once. Ends when another took the slot. */
  async #keepAlive(slot: Slot): Promise<void> {
    for (let quickLosses = 0; ; ) {
      const { executor } = slot;
      executor.onLost(() => {
        if (slot.executor === executor) slot.ready = false;
      });
      void this.#whenStarted(slot, executor);
      await executor.ended;
      if (this.#closed || slot.executor !== executor) return;
      slot.ready = false;
      this.#restarts += 1;
      this.settings.onExecutor?.({ pid: executor.pid, kind: 'lost', afterMs: executor.ageMs });
      quickLosses = executor.ageMs < quickLossMs ? quickLosses + 1 : 0;
      if (quickLosses > 1) await pause(Math.min(longestPauseMs, 100 * 2 ** quickLosses));
      if (this.#closed) return;
      Object.assign(slot, { executor: this.#start(), running: 0, freeAt: 0 });
    }
  }

  async #whenStarted(slot: Slot, executor: Executor): Promise<void> {
    try {
      await executor.started;
    } catch {
      return; // it was lost before it answered: the next one is on its way
    }
    if (slot.executor !== executor) return;
    slot.ready = true;
    this.settings.onExecutor?.({ pid: executor.pid, kind: 'ready', afterMs: executor.ageMs });
    for (const listener of this.#listeners) listener();
  }

  /** An idle executor that does not answer is killed by its own time limit, and replaced. */
  #pingIdle(): void {
    for (const { executor, running, ready } of this.#slots) {
      if (running === 0 && ready) executor.ping().catch(() => undefined);
    }
  }
}

/** A free slot before any that works. */
function freeAt({ running, freeAt: expected }: Slot): number {
  return running === 0 ? 0 : expected + running;
}

async function runOn(
  executor: Executor,
  model: Loadable,
  operation: string,
  feeds: Tensors,
  wanted?: readonly string[],
): Promise<RunAnswer> {
  await loadSession(executor, model, operation);
  return await executor.run(sessionKey(model, operation), feeds, wanted);
}

function loadSession(executor: Executor, model: Loadable, operation: string): Promise<void> {
  return executor.load(sessionKey(model, operation), () => model.load(operation));
}

/** One that cannot be made, since its files are gone, fails whoever runs it. */
async function copySessions(from: Executor, to: Executor): Promise<void> {
  for (const [session, { load }] of from.sessions) {
    await to
      .load(session, () => load)
      .catch(error => {
        if (isLoss(error)) throw error;
      });
  }
}

function sessionKey(model: Loadable, operation: string): string {
  return `${model.key}/${operation}`;
}

function isLoss(error: unknown): boolean {
  return error instanceof GenserveError && error.reason === 'EXECUTOR_LOST';
}

function pause(milliseconds: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, milliseconds));
}
