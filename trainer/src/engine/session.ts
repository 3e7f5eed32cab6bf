// Runtime's Session seam on onnxruntime-node: exported graphs, run in the trainer to verify and evaluate them.
import {
  GenserveError,
  type RunOptions,
  type Session,
  type Tensor,
  type Tensors,
  threadsWorth,
} from '@genserve/runtime';
import * as ort from 'onnxruntime-node';
import { WEIGHTS_FILE } from '../graph/write.js';
import type { Device } from './device.js';

export interface SessionOptions {
  /** The bundle's weights file, which the graph's external initialisers lie in. */
  readonly weights?: Uint8Array | undefined;
  /** All cores when absent; one for a graph that loops, whatever is said here. */
  readonly threads?: number | undefined;
  /** The CPU when absent. */
  readonly device?: Device | undefined;
}

/** @throws BUNDLE_INVALID where onnxruntime does not take the graph. */
export async function createSession(model: Uint8Array, options: SessionOptions = {}): Promise<Session> {
  const { weights, device = 'cpu' } = options;
  const threads = threadsWorth(model, options.threads);
  try {
    const session = await ort.InferenceSession.create(model, {
      executionProviders: [device],
      graphOptimizationLevel: 'all',
      ...(threads !== undefined && { intraOpNumThreads: threads }),
      interOpNumThreads: 1,
      // Threads that wait by spinning, as onnxruntime's do, double the processor time of scoring many rows, and take twice
      // as long where the machine has other work.
      extra: { session: { intra_op: { allow_spinning: '0' } } },
      ...(weights && { externalData: [{ path: WEIGHTS_FILE, data: weights }] }),
    });
    return new NodeSession(session);
  } catch (error) {
    throw new GenserveError('BUNDLE_INVALID', `onnxruntime refuses the graph: ${String(error)}`, { cause: error });
  }
}

class NodeSession implements Session {
  readonly #session: ort.InferenceSession;

  constructor(session: ort.InferenceSession) {
    this.#session = session;
  }

  async run(feeds: Tensors, options: RunOptions = {}): Promise<Tensors> {
    if (options.signal?.aborted) throw new GenserveError('CANCELLED', 'the run was cancelled before it started');
    const inputs = Object.fromEntries(Object.entries(feeds).map(([name, feed]) => [name, toOrt(feed)]));
    const results = await this.#session.run(inputs);
    return Object.fromEntries(Object.entries(results).map(([name, result]) => [name, fromOrt(name, result)]));
  }

  async close(): Promise<void> {
    await this.#session.release();
  }
}

export function toOrt({ dtype, shape, data }: Tensor): ort.Tensor {
  return new ort.Tensor(dtype, data, shape);
}

export function fromOrt(name: string, { type, dims, data }: ort.Tensor): Tensor {
  // onnxruntime-node allocates its outputs in ArrayBuffers of their own
  if (type === 'float32') return { dtype: 'float32', shape: dims, data: data as Float32Array<ArrayBuffer> };
  if (type === 'int32') return { dtype: 'int32', shape: dims, data: data as Int32Array<ArrayBuffer> };
  throw new GenserveError('INTERNAL', `output '${name}' is ${type}; graphs return float32 and int32`);
}
