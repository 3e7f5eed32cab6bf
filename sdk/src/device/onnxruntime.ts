// Runs graphs on onnxruntime-web: the SDK's one file that imports it, inside the worker or inline. Nothing of it is
// loaded before a model is, and then only the build for the backend that was chosen.
/// <reference path="./imports.d.ts" />
import { GenserveError, type GraphFiles, type Session, type Tensor } from '@genserve/runtime';
import type * as Ort from 'onnxruntime-web';
import { widen } from './widen.js';

export type DeviceBackend = 'wasm' | 'webgpu';

/** Where onnxruntime-web lies, for pages without a bundler. Absent: where the bundler put it. */
export interface OrtAssets {
  /** Address of one of its modules, e.g. ort.wasm.bundle.min.mjs. */
  readonly module?: string | undefined;
  /** Address of its .wasm file; beside the module when absent. */
  readonly wasm?: string | undefined;
}

/** What onnxruntime-web is started with. */
export interface OrtStart {
  readonly backend: DeviceBackend;
  readonly assets: OrtAssets;
  /** Of WebAssembly. */
  readonly threads: number;
}

export interface OrtHost {
  create(graph: GraphFiles): Promise<Session>;
}

/** y = x, as ONNX: a graph that cannot be at fault, so that what fails with it is the backend. */
const IDENTITY = 'CAg6NwoQCgF4EgF5IghJZGVudGl0eRIBZ1oPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCBAoAEBE=';

/**
 * Loads onnxruntime-web and starts it. Throws ASSET_UNREACHABLE where its module cannot be had, BACKEND_UNAVAILABLE
 * where it does not start: `field` is then the address of its .wasm file, where that is known. A start that failed is
 * final for its realm.
 */
export async function openOrt({ backend, assets, threads }: OrtStart): Promise<OrtHost> {
  const ort = await importOrt(backend, assets.module);
  if (assets.wasm) ort.env.wasm.wasmPaths = { wasm: assets.wasm };
  ort.env.wasm.numThreads = threads;
  const create = (model: Uint8Array, externalData: GraphFiles['externalData']) =>
    ort.InferenceSession.create(model, { executionProviders: [backend], externalData: [...externalData] });
  try {
    const identity = Uint8Array.from(atob(IDENTITY), character => character.charCodeAt(0));
    // Kept: onnxruntime destroys the GPU device with its last session.
    await create(identity, []);
  } catch (error) {
    throw new GenserveError(
      'BACKEND_UNAVAILABLE',
      `onnxruntime-web could not start on ${backend}: ${messageOf(error)}`,
      { cause: error, field: assets.wasm ?? requestedWasm() },
    );
  }
  const unlessLost = lossOf(backend === 'webgpu' ? await ort.env.webgpu?.device : undefined);
  return {
    async create(graph) {
      try {
        const { model, externalData } = graph.whole ? widen(graph.whole, graph) : graph;
        return sessionOf(ort, await unlessLost(create(model, externalData)), unlessLost);
      } catch (error) {
        throw explain(error, 'create');
      }
    },
  };
}

/** What it is given, one at a time, or DEVICE_LOST where that comes first. */
type UnlessLost = <T>(work: Promise<T>) => Promise<T>;

/** What waits for a GPUDevice that was lost would wait for good. No `Promise.race`, which a loss would never let go. */
function lossOf(device: unknown): UnlessLost {
  let loss: GenserveError | undefined;
  let tell: ((loss: GenserveError) => void) | undefined;
  // The DOM library of TypeScript does not have GPUDevice everywhere: this much of it is asked here.
  (device as { lost?: Promise<{ message: string }> } | undefined)?.lost?.then(({ message }) => {
    loss = new GenserveError('DEVICE_LOST', `the WebGPU device was lost: ${message}`);
    tell?.(loss);
  });
  return work =>
    new Promise((resolve, reject) => {
      tell = reject;
      if (loss) reject(loss);
      work.then(resolve, reject);
    });
}

async function importOrt(backend: DeviceBackend, module: string | undefined): Promise<typeof Ort> {
  try {
    if (module) return await import(/* @vite-ignore */ /* webpackIgnore: true */ module);
    if (backend === 'wasm') return await import('#onnxruntime-wasm');
    // JSPI needs no asyncify, whose build is nearly twice as large.
    return await ('Suspending' in WebAssembly ? import('onnxruntime-web/jspi') : import('onnxruntime-web/webgpu'));
  } catch (error) {
    const url = module ?? 'onnxruntime-web';
    throw new GenserveError('ASSET_UNREACHABLE', `${url} could not be imported: ${messageOf(error)}`, {
      field: url,
      cause: error,
    });
  }
}

function sessionOf(ort: typeof Ort, session: Ort.InferenceSession, unlessLost: UnlessLost): Session {
  return {
    async run(feeds) {
      const inputs = Object.entries(feeds).map(([name, { dtype, data, shape }]) => [
        name,
        new ort.Tensor(dtype, data, shape),
      ]);
      try {
        const outputs = await unlessLost(session.run(Object.fromEntries(inputs)));
        return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, read(tensor)]));
      } catch (error) {
        throw explain(error, 'run');
      }
    },
    close: () => session.release(),
  };
}

function read(tensor: Ort.Tensor): Tensor {
  const { type, dims, data } = tensor;
  if (type !== 'float32' && type !== 'int32') {
    throw new GenserveError('INTERNAL', `a graph gave ${type}`);
  }
  // onnxruntime types `data` as the union of all its arrays; `type` has just said which it is.
  return { dtype: type, shape: dims, data: data as Tensor['data'] };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** onnxruntime throws plain errors: their text is all there is to tell them apart by. */
function explain(error: unknown, doing: 'create' | 'run'): GenserveError {
  if (error instanceof GenserveError) return error;
  const message = messageOf(error);
  const reason = /device.{0,40}lost|lost.{0,20}device/i.test(message)
    ? 'DEVICE_LOST'
    : /out of memory|bad_alloc|allocation failed|out of bounds/i.test(message)
      ? 'OUT_OF_MEMORY'
      : doing === 'create'
        ? 'BUNDLE_INVALID'
        : 'INTERNAL';
  return new GenserveError(reason, `onnxruntime could not ${doing} a graph: ${message}`, { cause: error });
}

/** The .wasm address that onnxruntime asked for, where the platform keeps a list of requests. */
function requestedWasm(): string | undefined {
  const entries = performance.getEntriesByType?.('resource') ?? [];
  return entries.map(entry => entry.name).findLast(name => /\.wasm(\?|$)/.test(name));
}
