// Runs graphs on onnxruntime-web: the SDK's one file that imports it, inside the worker or inline. Nothing of it is
// loaded before a model is, and then only the build for the backend that was chosen.
/// <reference path="./imports.d.ts" />
import { GenserveError, type GraphFiles, type Session, type Tensor, type Tensors } from '@genserve/runtime';
import type * as Ort from 'onnxruntime-web';
import { fetchAsset, unreachable } from '../asset.js';

export type DeviceBackend = 'wasm' | 'webgpu';

/** Where onnxruntime-web lies, for pages without a bundler. Absent: where the bundler put it. */
export interface OrtAssets {
  /** Address of one of its modules, e.g. ort.wasm.bundle.min.mjs. */
  readonly module?: string | undefined;
  /** Address of its .wasm file; beside the module when absent. */
  readonly wasm?: string | undefined;
}

export interface OrtHost {
  create(graph: GraphFiles): Promise<Session>;
}

/** y = x, as ONNX: a graph that cannot be at fault, so that what fails with it is the backend. */
const IDENTITY = 'CAg6NwoQCgF4EgF5IghJZGVudGl0eRIBZ1oPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCBAoAEBE=';

/**
 * Loads onnxruntime-web and starts it. Throws ASSET_UNREACHABLE with the address that failed, BACKEND_UNAVAILABLE.
 * A start that failed is final for its realm.
 */
export async function openOrt(backend: DeviceBackend, assets: OrtAssets = {}): Promise<OrtHost> {
  const ort = await importOrt(backend, assets.module);
  if (assets.wasm) ort.env.wasm.wasmPaths = { wasm: assets.wasm };
  const create = (model: Uint8Array, externalData: GraphFiles['externalData']) =>
    ort.InferenceSession.create(model, { executionProviders: [backend], externalData: [...externalData] });
  try {
    const identity = Uint8Array.from(atob(IDENTITY), character => character.charCodeAt(0));
    await (await create(identity, [])).release();
  } catch (error) {
    throw await explainStart(error, backend, assets);
  }
  return {
    async create({ model, externalData }) {
      try {
        return new OrtSession(ort, await create(model, externalData));
      } catch (error) {
        throw explain(error, 'create');
      }
    },
  };
}

async function importOrt(backend: DeviceBackend, module: string | undefined): Promise<typeof Ort> {
  try {
    if (module) return await import(/* @vite-ignore */ /* webpackIgnore: true */ module);
    if (backend === 'wasm') return await import('#onnxruntime-wasm');
    // JSPI needs no asyncify, whose build is nearly twice as large.
    return await ('Suspending' in WebAssembly ? import('onnxruntime-web/jspi') : import('onnxruntime-web/webgpu'));
  } catch (error) {
    throw unreachable(module ?? 'onnxruntime-web', `could not be imported: ${messageOf(error)}`, error);
  }
}

class OrtSession implements Session {
  readonly #ort: typeof Ort;
  readonly #session: Ort.InferenceSession;

  constructor(ort: typeof Ort, session: Ort.InferenceSession) {
    this.#ort = ort;
    this.#session = session;
  }

  async run(feeds: Tensors): Promise<Tensors> {
    const inputs: Record<string, Ort.Tensor> = {};
    for (const [name, { dtype, data, shape }] of Object.entries(feeds)) {
      inputs[name] = new this.#ort.Tensor(dtype, data, shape);
    }
    try {
      const outputs = await this.#session.run(inputs);
      return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, read(tensor)]));
    } catch (error) {
      throw explain(error, 'run');
    }
  }

  async close(): Promise<void> {
    await this.#session.release();
  }
}

function read(tensor: Ort.Tensor): Tensor {
  const { type, dims, data } = tensor;
  if (type !== 'float32' && type !== 'int32') {
    throw new GenserveError('INTERNAL', `a graph gave ${type}; ports are float32 or int32`);
  }
  // onnxruntime types `data` as the union of all its arrays; `type` has just said which it is.
  return { dtype: type, shape: dims, data: data as Tensor['data'] };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** onnxruntime throws plain errors: their text is all there is to tell them apart by. */
function explain(error: unknown, doing: 'create' | 'run'): GenserveError {
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

/** Why a start failed: usually the .wasm file, so that it is fetched once more to say what is wrong with it. */
async function explainStart(error: unknown, backend: DeviceBackend, assets: OrtAssets): Promise<GenserveError> {
  const message = messageOf(error);
  const url = assets.wasm ?? requestedWasm();
  if (url) {
    try {
      const magic = (await fetchAsset(url)).subarray(0, 4).join();
      if (magic !== '0,97,115,109') return unreachable(url, 'is not a WebAssembly file: it does not begin with \\0asm');
    } catch (problem) {
      return GenserveError.from(problem);
    }
  }
  return new GenserveError('BACKEND_UNAVAILABLE', `onnxruntime-web could not start on ${backend}: ${message}`, {
    cause: error,
  });
}

/** The .wasm address that onnxruntime asked for, where the platform keeps a list of requests. */
function requestedWasm(): string | undefined {
  const entries = performance.getEntriesByType?.('resource') ?? [];
  return entries.map(entry => entry.name).findLast(name => /\.wasm(\?|$)/.test(name));
}
