// A model on this device: its bundle downloaded and verified, its graphs run by onnxruntime-web.
import { type Bundle, BundleGenerator, openBundle, type Progress } from '@genserve/runtime';
import { downloadFiles } from './bundle/download.js';
import { fetchSource } from './bundle/source.js';
import { memoryStore, openStore } from './bundle/store.js';
import type { ClientGenerator } from './client-generator.js';
import { baseUrl } from './connect.js';
import { chooseBackend, type Device } from './device/adapter.js';
import type { DeviceBackend, OrtAssets } from './device/onnxruntime.js';
import { DeviceRunner } from './device/runner.js';

/** Where files lie that a bundler would have found. Only pages without a bundler need it. */
export interface Assets extends Partial<Record<DeviceBackend, OrtAssets>> {
  /** Address of this package's dist/device/worker.js, bundled; of the page's own origin. */
  readonly worker?: string | undefined;
}

export interface LoadOptions {
  /** 'auto' when absent: WebGPU where there is an adapter, else WASM; `fallbackReason` says why. */
  readonly device?: Device | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly assets?: Assets | undefined;
  /** Keep the bundle for later visits; true when absent. */
  readonly cache?: boolean | undefined;
  /** How long a step may go on after an abort before its worker is ended and made anew; 250 when absent. */
  readonly graceMs?: number | undefined;
  /** Fetches the bundle's files; the platform's own when absent. */
  readonly fetch?: typeof fetch | undefined;
}

/** ONNX operators that hold graphs of their own: WebGPU leaves them to the CPU, with a copy at every turn. */
const CONTROL_FLOW = ['Loop', 'Scan', 'If'];

/**
 * Loads the bundle whose folder is at `url`, e.g. "/bundles/mnist-vae/1/".
 * Throws ASSET_UNREACHABLE with the address of what could not be fetched, INTEGRITY_MISMATCH, BUNDLE_INVALID,
 * BACKEND_UNAVAILABLE, and CANCELLED after an abort. After a failure the same call may be made again.
 */
export async function loadGenerator(url: string | URL, options: LoadOptions = {}): Promise<ClientGenerator> {
  const { device = 'auto', signal, onProgress, assets = {}, graceMs = 250 } = options;
  const store = options.cache === false ? memoryStore() : await openStore();
  const bundle = await openBundle(fetchSource(baseUrl(url), store, options.fetch), { signal });
  const operators = bundle.manifest.needs?.operators ?? [];
  const choice = await chooseBackend(
    device,
    CONTROL_FLOW.find(operator => operators.includes(operator)),
  );
  const runner = new DeviceRunner(bundle, {
    ...choice,
    mayFallBack: device === 'auto',
    assets,
    workerScript: assets.worker,
    graceMs,
  });
  // The first of the two that fails stops the other.
  const failure = new AbortController();
  const either = signal ? AbortSignal.any([signal, failure.signal]) : failure.signal;
  try {
    await Promise.all([runner.start(either), downloadFiles(bundle, { signal: either, onProgress })]);
    onProgress?.({ phase: 'compile', done: 0, total: 1, unit: 'sessions' });
    await runner.warmUp(bundle.manifest.operations[0]?.name ?? 'sample', signal);
    onProgress?.({ phase: 'compile', done: 1, total: 1, unit: 'sessions' });
  } catch (error) {
    failure.abort(error);
    await runner.close();
    throw error;
  }
  return new DeviceGenerator(bundle, runner);
}

class DeviceGenerator extends BundleGenerator implements ClientGenerator {
  readonly #device: DeviceRunner;

  constructor(bundle: Bundle, device: DeviceRunner) {
    super(bundle, device);
    this.#device = device;
  }

  get backend(): DeviceBackend {
    return this.#device.backend;
  }

  get fallbackReason(): string | undefined {
    return this.#device.fallbackReason;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
