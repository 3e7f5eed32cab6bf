// Runs a bundle's operations on this device: two steps under way, so that the executor has the next when one is done;
// sessions made on first use; an executor that can be thrown away and made again; WASM in place of a WebGPU that fails.
import {
  abortError,
  type Bundle,
  ExecutorClient,
  type ExecutorReply,
  GenserveError,
  type Queue,
  type Runner,
  type RunOptions,
  serialQueue,
  type Tensors,
  throwIfAborted,
} from '@genserve/runtime';
import { openExecutor } from '#executor';
import { wasmProblem } from '../asset.js';
import type { Executor, Load } from './executor.js';
import type { DeviceBackend, OrtAssets } from './onnxruntime.js';

export interface DeviceOptions {
  readonly backend: DeviceBackend;
  readonly fallbackReason?: string | undefined;
  /** Go on with WASM where WebGPU fails. */
  readonly mayFallBack: boolean;
  readonly assets: Partial<Record<DeviceBackend, OrtAssets>>;
  readonly threads: number;
  readonly workerScript?: string | undefined;
  /** How long a step may go on after an abort before its worker is ended. */
  readonly graceMs: number;
}

/** A step should take this long at most. */
const STEP_MS = 200;
/** More gain nothing in speed; and the page makes the noise of one step, and takes the pictures of one, during another. */
const GREATEST_ROWS = 64;
/** What one thread of WASM does in a millisecond, until there is a measurement: multiply-accumulates. */
const MACS_PER_MS = 1.5e6;

interface Running {
  readonly executor: Executor;
  readonly client: ExecutorClient<Load>;
  readonly loaded: Set<string>;
}

export class DeviceRunner implements Runner {
  backend: DeviceBackend;
  fallbackReason: string | undefined;
  readonly #options: DeviceOptions;
  /** Two, taken in turns: each has one step under way. */
  readonly #lanes: readonly Queue[] = [serialQueue(), serialQueue()];
  #turns = 0;
  readonly #msPerRow = new Map<string, number>();
  #bundle: Bundle | undefined;
  #variant: string | undefined;
  #running: Running | undefined;
  #closed = false;

  constructor(options: DeviceOptions) {
    this.#options = options;
    this.backend = options.backend;
    this.fallbackReason = options.fallbackReason;
  }

  /** Starts onnxruntime, for which no bundle need be there yet. */
  async start(signal?: AbortSignal): Promise<void> {
    await this.#turn(signal, () => this.#recovering(() => this.#started(signal), signal));
  }

  /**
   * Takes the bundle that it runs from now on, in this variant (its float32 graphs when absent), and makes the session
   * of its first operation, as the first run of that would.
   */
  async warmUp(bundle: Bundle, variant: string | undefined, signal?: AbortSignal): Promise<void> {
    this.#bundle = bundle;
    this.#variant = variant;
    const operation = bundle.manifest.operations[0]?.name ?? 'sample';
    await this.#turn(signal, () => this.#recovering(() => this.#loaded(operation, signal), signal));
  }

  async run(operation: string, feeds: Tensors, { signal }: RunOptions = {}): Promise<Tensors> {
    return this.#turn(signal, async () => {
      const { outputs, timings } = await this.#recovering(() => this.#step(operation, feeds, signal), signal);
      this.#measure(operation, feeds, timings.tookMs);
      return outputs ?? {};
    });
  }

  /** Less than 1 asks for slices of an image, where the graph can be resumed. */
  rowsPerStep(operation: string): number {
    const macs = this.#bundle?.manifest.operations.find(({ name }) => name === operation)?.cost?.macs ?? 0;
    const msPerRow = this.#msPerRow.get(operation) ?? macs / MACS_PER_MS;
    return Math.min(GREATEST_ROWS, STEP_MS / Math.max(msPerRow, 1e-3));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#end(closedError());
  }

  /** The caller is answered at once after an abort; its place in the queue is given up when the step has ended. */
  #turn<T>(signal: AbortSignal | undefined, task: () => Promise<T>): Promise<T> {
    const turn = this.#lanes[this.#turns++ % 2]!(() => {
      throwIfAborted(signal);
      if (this.#closed) throw closedError();
      return task();
    });
    if (!signal) return turn;
    return new Promise((resolve, reject) => {
      const stop = onAbort(signal, () => reject(abortError(signal)));
      turn.then(resolve, reject).finally(stop);
    });
  }

  /**
   * Does it once more where its realm was lost, with a new one: on WASM where WebGPU fails and that is allowed.
   * Memory of WASM is given back by the end of its realm alone, so that running out of it ends that too.
   */
  async #recovering<T>(task: () => Promise<T>, signal: AbortSignal | undefined, isFirst = true): Promise<T> {
    try {
      return await task();
    } catch (error) {
      const failure = GenserveError.from(error);
      const { reason } = failure;
      if (this.#closed || signal?.aborted) throw failure;
      // The executor was ended for the sake of the call beside this one.
      if (reason === 'CANCELLED') return this.#recovering(task, signal, isFirst);
      const isLost = reason === 'DEVICE_LOST' || reason === 'EXECUTOR_LOST';
      const fallsBack = this.backend === 'webgpu' && this.#options.mayFallBack;
      // A lost executor has ended already, and the call beside this one may have made a new one.
      if (reason !== 'EXECUTOR_LOST' && (isLost || fallsBack || reason === 'OUT_OF_MEMORY')) this.#end();
      if (fallsBack) {
        this.backend = 'wasm';
        this.fallbackReason = failure.message;
        this.#msPerRow.clear();
      }
      if (fallsBack || (isLost && isFirst)) return this.#recovering(task, signal, false);
      throw failure;
    }
  }

  async #step(operation: string, feeds: Tensors, signal: AbortSignal | undefined): Promise<ExecutorReply> {
    const running = await this.#loaded(operation, signal);
    const reply = await this.#ask(running, { kind: 'run', session: operation, feeds }, signal);
    if (this.backend === 'webgpu' && reply.outputs && hasNaN(reply.outputs)) {
      throw new GenserveError('NON_FINITE', `${operation} gave NaN on WebGPU`);
    }
    return reply;
  }

  /** An executor with this operation's session. */
  async #loaded(operation: string, signal: AbortSignal | undefined): Promise<Running> {
    const running = await this.#started(signal);
    if (running.loaded.has(operation)) return running;
    // Nothing is run before `warmUp`.
    const graph = await this.#bundle!.graph(operation, { signal, variant: this.#variant });
    await this.#ask(running, { kind: 'load', session: operation, load: { graph } }, signal);
    running.loaded.add(operation);
    return running;
  }

  async #started(signal: AbortSignal | undefined): Promise<Running> {
    if (this.#running) return this.#running;
    const running = this.#makeExecutor();
    this.#running = running;
    const { backend } = this;
    const { assets, threads } = this.#options;
    const load: Load = { start: { backend, threads, assets: assets[backend] ?? {} } };
    try {
      await this.#ask(running, { kind: 'load', session: '', load }, signal);
    } catch (error) {
      // A start that failed is final for its realm: the next call gets a new one.
      const failure = GenserveError.from(error);
      this.#end();
      const wasm = failure.reason === 'BACKEND_UNAVAILABLE' && failure.field;
      throw (wasm && (await wasmProblem(wasm))) || failure;
    }
    return running;
  }

  /** The reply; after an abort, the end of the executor where the reply does not come within the grace time. */
  async #ask(
    running: Running,
    request: Parameters<ExecutorClient<Load>['request']>[0],
    signal: AbortSignal | undefined,
  ): Promise<ExecutorReply> {
    const reply = running.client.request(request);
    if (!signal || !running.executor.killable) return reply;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = onAbort(signal, () => {
      timer = setTimeout(() => {
        if (this.#running === running) this.#end();
      }, this.#options.graceMs);
    });
    try {
      return await reply;
    } finally {
      clearTimeout(timer);
      stop();
    }
  }

  #makeExecutor(): Running {
    const listener = {
      onReply: (reply: ExecutorReply) => running.client.receive(reply),
      onLost: (error: GenserveError) => {
        if (this.#running === running) this.#end(error);
      },
    };
    const executor = openExecutor(this.#options.workerScript, listener);
    const running: Running = {
      executor,
      client: new ExecutorClient<Load>(request => executor.send(request)),
      loaded: new Set(),
    };
    return running;
  }

  /** Calls that are under way reject with `reason`; with CANCELLED, they begin anew in another executor. */
  #end(reason = new GenserveError('CANCELLED', 'ended')): void {
    const running = this.#running;
    this.#running = undefined;
    running?.executor.terminate();
    running?.client.fail(reason);
  }

  #measure(operation: string, feeds: Tensors, tookMs: number): void {
    // A slice of an image says little of the whole.
    if (Object.values(feeds).some(({ shape }) => shape.length === 0)) return;
    const rows = Math.max(1, ...Object.values(feeds).map(({ shape }) => shape[0] ?? 1));
    const before = this.#msPerRow.get(operation);
    const now = tookMs / rows;
    this.#msPerRow.set(operation, before === undefined ? now : (before + now) / 2);
  }
}

/** Calls `listener` at an abort, or at once after one, until what it returns is called. */
function onAbort(signal: AbortSignal, listener: () => void): () => void {
  if (signal.aborted) listener();
  signal.addEventListener('abort', listener);
  return () => signal.removeEventListener('abort', listener);
}

function closedError(): GenserveError {
  return new GenserveError('MODEL_UNAVAILABLE', 'the model is closed');
}

function hasNaN(tensors: Tensors): boolean {
  return Object.values(tensors).some(({ data }) => data.some(Number.isNaN));
}
