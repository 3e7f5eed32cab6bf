// Runs graphs on onnxruntime-web: the SDK's one file that imports it, inside the worker or inline. Nothing of it is
// loaded before a model is, and then only the build for the backend that was chosen.
/// <reference path="./imports.d.ts" />
import { GenserveError, type GraphFiles, type Session, type Tensor, type Tensors } from '@genserve/runtime';
import type * as Ort from 'onnxruntime-web';

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
  const lost = backend === 'webgpu' ? lossOf(await ort.env.webgpu?.device) : NEVER;
  return {
    async create({ model, externalData }) {
      try {
        return new OrtSession(ort, await Promise.race([create(model, externalData), lost]), lost);
      } catch (error) {
        throw explain(error, 'create');
      }
    },
  };
}

const NEVER = new Promise<never>(() => undefined);

/** Rejects when a GPUDevice is lost: what waits for it then would wait for good. */
function lossOf(device: unknown): Promise<never> {
  // The DOM library of TypeScript does not have GPUDevice everywhere: this much of it is asked here.
  const lost = (device as { lost?: Promise<{ message: string }> } | undefined)?.lost?.then(({ message }): never => {
    throw new GenserveError('DEVICE_LOST', `the WebGPU device was lost: ${message}`);
  });
  // Nobody may be waiting when it happens.
  lost?.catch(() => undefined);
  return lost ?? NEVER;
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

class OrtSession implements Session {
  readonly #ort: typeof Ort;
  readonly #session: Ort.InferenceSession;
  readonly #lost: Promise<never>;

  constructor(ort: typeof Ort, session: Ort.InferenceSession, lost: Promise<never>) {
    this.#ort = ort;
    this.#session = session;
    this.#lost = lost;
  }

  async run(feeds: Tensors): Promise<Tensors> {
    const inputs: Record<string, Ort.Tensor> = {};
    for (const [name, { dtype, data, shape }] of Object.entries(feeds)) {
      inputs[name] = new this.#ort.Tensor(dtype, data, shape);
    }
    try {
      const outputs = await Promise.race([this.#session.run(inputs), this.#lost]);
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
