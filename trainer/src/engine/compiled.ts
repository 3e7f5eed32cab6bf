// Runs programs as ONNX graphs on onnxruntime.
import { availableParallelism } from 'node:os';
import { GenserveError, type Tensors } from '@genserve/runtime';
import * as ort from 'onnxruntime-node';
import { compareRecordings } from '../graph/batch.js';
import { optimise } from '../graph/optimise.js';
import { writeModel } from '../graph/write.js';
import { NEXT_PREFIX, STATE_PREFIX, trace } from '../trace/trace.js';
import { checkFeeds } from './bind.js';
import { blockSize } from './block-size.js';
import type { Device } from './device.js';
import type { Engine, Executable } from './engine.js';
import { firstNonFinite } from './non-finite.js';
import type { Program, State } from './program.js';
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
      const graph = trace(program, batch);
      // a frozen random number shows only in a second recording
      compareRecordings({ graph, batch }, { graph: trace(program, batch), batch });
      const block = device === 'cpu' ? await blockSize() : undefined;
      const session = await create(program.name, writeModel(optimise(graph, { block })), {
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
        ...(options.profile !== undefined && { enableProfiling: true, profileFilePrefix: options.profile }),
      });
      return new CompiledExecutable(program, batch, session);
    },
  };
}

async function create(
  program: string,
  model: Uint8Array,
  options: ort.InferenceSession.SessionOptions,
): Promise<ort.InferenceSession> {
  try {
    return await ort.InferenceSession.create(model, options);
  } catch (error) {
    throw new GenserveError('INTERNAL', `onnxruntime refuses the graph of program '${program}': ${String(error)}`, {
      cause: error,
    });
  }
}

class CompiledExecutable implements Executable {
  readonly #program: Program;
  readonly #batch: number;
  readonly #session: ort.InferenceSession;

  constructor(program: Program, batch: number, session: ort.InferenceSession) {
    this.#program = program;
    this.#batch = batch;
    this.#session = session;
  }

  async run(feeds: Tensors, state: State): Promise<Tensors> {
    const program = this.#program;
    checkFeeds(program, this.#batch, feeds);
    const wanted = new Set(this.#session.inputNames);
    const all: Record<string, ort.Tensor> = {};
    for (const [name, feed] of Object.entries(feeds)) if (wanted.has(name)) all[name] = toOrt(feed);
    for (const { name, shape } of program.state) {
      if (!wanted.has(`${STATE_PREFIX}${name}`)) continue;
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
