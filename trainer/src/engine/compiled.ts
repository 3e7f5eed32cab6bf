// Runs programs as ONNX graphs on onnxruntime.
import { availableParallelism } from 'node:os';
import { GenserveError, type Tensors } from '@genserve/runtime';
import * as ort from 'onnxruntime-node';
import { compareRecordings } from '../graph/batch.js';
import { countMacs } from '../graph/cost.js';
import { optimise } from '../graph/optimise.js';
import { type Graph, size } from '../graph/types.js';
import { writeModel } from '../graph/write.js';
import { countNumbers } from '../nn/variable.js';
import { NEXT_PREFIX, STATE_PREFIX, trace } from '../trace/trace.js';
import { checkFeeds } from './bind.js';
import { blockSize } from './block-size.js';
import type { Device } from './device.js';
import type { Engine, Executable } from './engine.js';
import { firstNonFinite } from './non-finite.js';
import type { Program, RowParts, State } from './program.js';
import { countParts, PartsExecutable, type SharedVariable, startRowsThreads, worthParts } from './row-parts.js';
import { fromOrt, toOrt } from './session.js';

export interface CompiledOptions {
  /** The CPU when absent. What a device has no kernel for runs on the CPU, at the price of copies. */
  readonly device?: Device | undefined;
  /** Threads within an operator; all cores when absent. A run is bit-identical only at an equal number. */
  readonly threads?: number | undefined;
  /** Prefix of a profile that onnxruntime writes, for the benchmarks. */
  readonly profile?: string | undefined;
}

/** The default engine: a program is recorded once, as one graph. */
export function compiledEngine(options: CompiledOptions = {}): Engine {
  const { device = 'cpu', threads = availableParallelism() } = options;
  return {
    description: `compiled/${device}${device === 'cpu' ? ` (${threads} thread${threads === 1 ? '' : 's'})` : ''}`,
    async compile(program, batch) {
      const { parts } = program;
      const count = parts && device === 'cpu' ? countParts(batch, threads) : 1;
      if (parts && count > 1) {
        const rows = record(parts.rows, batch / count);
        if (worthParts(countMacs(rows) / (batch / count), countNumbers(parts.rows.state)))
          return compileParts({ ...program, parts }, rows, { batch, count, threads, profile: options.profile });
      }
      const settings = sessionOptions(device, threads, options.profile);
      return executable(program, batch, await toModel(record(program, batch), device), settings);
    },
  };
}

interface PartsSettings {
  readonly batch: number;
  readonly count: number;
  readonly threads: number;
  readonly profile: string | undefined;
}

async function compileParts(
  program: Program & { readonly parts: RowParts },
  graph: Graph,
  { batch, count, threads, profile }: PartsSettings,
): Promise<Executable> {
  const { rows, merge } = program.parts;
  const assigned = graph.outputs.find(({ name }) => name.startsWith(NEXT_PREFIX));
  if (assigned) throw new Error(`the rows of program '${program.name}' are not apart: it assigns ${assigned.name}`);
  const options = sessionOptions('cpu', Math.floor(threads / count), undefined);
  const model = await toModel(graph, 'cpu');
  const own = await executable(rows, batch / count, model, { ...options, ...profiling(profile) });
  const update = await toModel(record(merge, batch), 'cpu');
  return new PartsExecutable({
    ...{ program, batch, own },
    merge: await executable(merge, batch, update, sessionOptions('cpu', threads, profile)),
    threads: startRowsThreads(count - 1, { model, options, variables: sharedVariables(rows, own.reads) }),
  });
}

/** The program as a graph. A frozen random number shows only in a second recording. */
function record(program: Program, batch: number): Graph {
  const graph = trace(program, batch);
  compareRecordings({ graph, batch }, { graph: trace(program, batch), batch });
  return graph;
}

async function toModel(graph: Graph, device: Device): Promise<Uint8Array> {
  return writeModel(optimise(graph, { block: device === 'cpu' ? await blockSize() : undefined }));
}

function sessionOptions(
  device: Device,
  threads: number,
  profile: string | undefined,
): ort.InferenceSession.SessionOptions {
  return {
    executionProviders: [device],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    // A plan of all memory ahead is made beside what the first run took: half as much again, and no faster.
    enableMemPattern: false,
    // Idle workers look for work this long before they sleep. A step is a thousand small operators, so some spinning
    // pays; onnxruntime's own (far longer) default made steps 1.4 times slower on a machine that others use too.
    extra: { session: { intra_op: { allow_spinning: '1', spin_duration_us: '20' } } },
    ...profiling(profile),
  };
}

function profiling(profile: string | undefined): ort.InferenceSession.SessionOptions {
  return profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile };
}

/** Those that the graph reads, one behind the other. */
function sharedVariables({ state }: Program, reads: ReadonlySet<string>): SharedVariable[] {
  let offset = 0;
  const shared: SharedVariable[] = [];
  for (const { name, shape } of state) {
    const input = `${STATE_PREFIX}${name}`;
    if (!reads.has(input)) continue;
    shared.push({ name, input, shape, offset, length: size(shape) });
    offset += size(shape);
  }
  return shared;
}

async function executable(
  program: Program,
  batch: number,
  model: Uint8Array,
  options: ort.InferenceSession.SessionOptions,
): Promise<CompiledExecutable> {
  try {
    return new CompiledExecutable(program, batch, await ort.InferenceSession.create(model, options));
  } catch (error) {
    throw new GenserveError(
      'INTERNAL',
      `onnxruntime refuses the graph of program '${program.name}': ${String(error)}`,
      {
        cause: error,
      },
    );
  }
}

class CompiledExecutable implements Executable {
  readonly #program: Program;
  readonly #batch: number;
  readonly #session: ort.InferenceSession;
  /** What the graph takes: less than the program does, where its outputs do not depend on all. */
  readonly reads: ReadonlySet<string>;

  constructor(program: Program, batch: number, session: ort.InferenceSession) {
    this.#program = program;
    this.#batch = batch;
    this.#session = session;
    this.reads = new Set(session.inputNames);
  }

  async run(feeds: Tensors, state: State): Promise<Tensors> {
    const program = this.#program;
    checkFeeds(program, this.#batch, feeds);
    const all: Record<string, ort.Tensor> = {};
    for (const [name, feed] of Object.entries(feeds)) if (this.reads.has(name)) all[name] = toOrt(feed);
    for (const { name, shape } of program.state) {
      if (!this.reads.has(`${STATE_PREFIX}${name}`)) continue;
      const values = state.get(name);
      if (!values)
        throw new GenserveError(
          'INTERNAL',
          `program '${program.name}' needs variable '${name}', which its state does not hold`,
        );
      all[`${STATE_PREFIX}${name}`] = new ort.Tensor('float32', values, shape);
    }
    const results = await this.#session.run(all);
    const outputs: Record<string, Tensors[string]> = {};
    for (const [name, result] of Object.entries(results)) {
      const tensor = fromOrt(name, result);
      if (!name.startsWith(NEXT_PREFIX)) outputs[name] = tensor;
      // variables are float32
      else state.set(name.slice(NEXT_PREFIX.length), tensor.data as Float32Array);
    }
    return outputs;
  }

  firstNonFinite(feeds: Tensors, state: State): Promise<string | undefined> {
    return firstNonFinite(this.#program, this.#batch, feeds, state);
  }

  async close(): Promise<void> {
    this.#session.endProfiling();
    await this.#session.release();
  }
}
