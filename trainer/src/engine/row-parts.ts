// Data parallelism: equal parts of a batch, each on a thread with a session of its own, and one update with the means of their
// results. Threads that share the operators of one session wait for each other a thousand times a step.
import { Worker } from 'node:worker_threads';
import { GenserveError, type Tensor, type Tensors } from '@genserve/runtime';
import type * as ort from 'onnxruntime-node';
import { checkFeeds } from './bind.js';
import type { Executable } from './engine.js';
import { firstNonFinite } from './non-finite.js';
import type { Program, RowParts, State } from './program.js';

/** A variable in the memory that all threads share, in numbers. */
export interface SharedVariable {
  readonly name: string;
  /** Of the graph. */
  readonly input: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly length: number;
}

export interface RowsThreadData {
  readonly model: Uint8Array;
  readonly options: ort.InferenceSession.SessionOptions;
  readonly variables: readonly SharedVariable[];
  readonly shared: Float32Array;
}

export type RowsReply = { readonly outputs: Tensors } | { readonly failure: string };

/** Rows that keep a session busy: with fewer, operators cost more than their arithmetic. */
const FEWEST_ROWS = 8;
/**
 * Multiply-adds of a row, gradients included, for each parameter. Below it a step's time is that of reading and writing
 * parameters, which every part does (MADE: 2.5; the convolutional VAE: 83; Glow: 209).
 */
const FEWEST_MACS = 12;

/** Parts that a batch is run in on so many threads: the most that divide it. */
export function countParts(batch: number, threads: number): number {
  for (let parts = Math.min(threads, Math.floor(batch / FEWEST_ROWS)); parts > 1; parts--)
    if (batch % parts === 0) return parts;
  return 1;
}

/** Whether the arithmetic of a row is worth a pass over all parameters. */
export function worthParts(macsPerRow: number, parameters: number): boolean {
  return macsPerRow >= FEWEST_MACS * parameters;
}

/** One part's `rows`, on this thread or another. */
interface RowsRunner {
  run(feeds: Tensors, state: State): Promise<Tensors>;
  close(): Promise<void>;
}

export interface PartsOptions {
  readonly program: Program & { readonly parts: RowParts };
  readonly batch: number;
  /** Runs the last part, on this thread. */
  readonly own: Executable;
  readonly merge: Executable;
  /** Run the other parts. */
  readonly threads: RowsThreads;
}

export class PartsExecutable implements Executable {
  constructor(private readonly options: PartsOptions) {}

  async run(feeds: Tensors, state: State): Promise<Tensors> {
    const { program, batch, own, merge, threads } = this.options;
    checkFeeds(program, batch, feeds);
    const { rows, merge: update } = program.parts;
    threads.share(state);
    const runners = [...threads.all, own]; // this thread's run lets nothing else happen: the others are told first
    const given = pick(feeds, rows);
    const replies = runners.map((runner, part) => runner.run(partOf(rows, given, part, runners.length), state));
    const means = meanOf(await allOf(replies));
    const merged = await merge.run(pick({ ...feeds, ...means }, update), state);
    const rest = Object.entries(means).filter(([name]) => !update.inputs.some(input => input.name === name));
    return { ...Object.fromEntries(rest), ...merged };
  }

  firstNonFinite(feeds: Tensors, state: State): Promise<string | undefined> {
    return firstNonFinite(this.options.program, this.options.batch, feeds, state);
  }

  async close(): Promise<void> {
    const { own, merge, threads } = this.options;
    await Promise.all([own, merge, ...threads.all].map(runner => runner.close()));
  }
}

/** Threads that run one model, each on feeds of its own and all on one state. */
export interface RowsThreads {
  readonly all: readonly RowsRunner[];
  /** What all read, written while none of them runs. */
  share(state: State): void;
}

export function startRowsThreads(count: number, data: Omit<RowsThreadData, 'shared'>): RowsThreads {
  const total = data.variables.reduce((sum, { length }) => sum + length, 0);
  const shared = new Float32Array(new SharedArrayBuffer(total * Float32Array.BYTES_PER_ELEMENT));
  return {
    all: Array.from({ length: count }, () => new RowsThread({ ...data, shared })),
    share(state) {
      for (const { name, offset } of data.variables) shared.set(state.get(name)!, offset);
    },
  };
}

class RowsThread implements RowsRunner {
  readonly #worker: Worker;
  #waiting: { resolve(outputs: Tensors): void; reject(error: GenserveError): void } | undefined;
  #lost: GenserveError | undefined;

  constructor(data: RowsThreadData) {
    // the same file from src/ and from dist/
    this.#worker = new Worker(new URL('../../dist/engine/rows-thread.js', import.meta.url), { workerData: data });
    this.#worker.unref();
    this.#worker.on('message', (reply: RowsReply) => {
      if ('outputs' in reply) this.#waiting?.resolve(reply.outputs);
      else this.#waiting?.reject(new GenserveError('INTERNAL', `a training thread failed: ${reply.failure}`));
    });
    this.#worker.on('error', error => this.#lose(GenserveError.from(error)));
    this.#worker.on('exit', code => this.#lose(new GenserveError('INTERNAL', `a training thread ended with ${code}`)));
  }

  async run(feeds: Tensors): Promise<Tensors> {
    if (this.#lost) throw this.#lost;
    const outputs = new Promise<Tensors>((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
    this.#worker.ref();
    this.#worker.postMessage(
      feeds,
      Object.values(feeds).map(({ data }) => data.buffer),
    );
    return outputs.finally(() => this.#worker.unref());
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #lose(error: GenserveError): void {
    this.#lost ??= error;
    this.#waiting?.reject(this.#lost);
  }
}

/** All results; throws the first failure only when all are through, so that no late reply is taken for the next run's. */
async function allOf<Result>(replies: readonly Promise<Result>[]): Promise<Result[]> {
  await Promise.allSettled(replies);
  return await Promise.all(replies);
}

/** Those of the feeds that a program takes. */
function pick(feeds: Tensors, { inputs }: Program): Tensors {
  return Object.fromEntries(inputs.map(({ name }) => [name, feeds[name]!])); // they were checked
}

/** Copies: they are given away. */
function partOf({ inputs }: Program, feeds: Tensors, part: number, parts: number): Tensors {
  return Object.fromEntries(
    inputs.map(({ name, shape }): [string, Tensor] => {
      const feed = feeds[name]!;
      if (shape[0] !== 'batch') return [name, { ...feed, data: feed.data.slice() } as Tensor];
      const size = feed.data.length / parts;
      const data = feed.data.slice(part * size, (part + 1) * size);
      return [name, { ...feed, shape: [feed.shape[0]! / parts, ...feed.shape.slice(1)], data } as Tensor];
    }),
  );
}

/** By name, of results of one shape. */
function meanOf(results: readonly Tensors[]): Tensors {
  const [first, ...others] = results;
  return Object.fromEntries(
    Object.entries(first!).map(([name, { shape, data }]) => {
      const mean = data as Float32Array<ArrayBuffer>; // losses and gradients
      // Result after result: a loop over results within the one over numbers takes five times as long.
      for (const [index, other] of others.entries()) {
        const scale = index === others.length - 1 ? 1 / results.length : 1;
        addScaled(mean, other[name]!.data, scale);
      }
      return [name, { dtype: 'float32', shape, data: mean }];
    }),
  );
}

/** sum <- (sum + addend) scale */
function addScaled(sum: Float32Array, addend: ArrayLike<number>, scale: number): void {
  for (let i = 0; i < sum.length; i++) sum[i] = (sum[i]! + addend[i]!) * scale;
}
