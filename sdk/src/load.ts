// A model on this device: its bundle downloaded and verified, its graphs run by onnxruntime-web.
import {
  type Bundle,
  BundleGenerator,
  type CompleteOptions,
  GenserveError,
  openBundle,
  type Progress,
} from '@genserve/runtime';
import { baseUrl } from './address.js';
import { downloadFiles } from './bundle/download.js';
import { fetchSource } from './bundle/source.js';
import { memoryStore, openStore } from './bundle/store.js';
import { type ClientGenerator, type GenerateForm, generate } from './client-generator.js';
import type { ConnectOptions } from './connect.js';
import { chooseBackend, chooseThreads, type Device, type Threads } from './device/adapter.js';
import type { DeviceBackend, OrtAssets } from './device/onnxruntime.js';
import { DeviceRunner } from './device/runner.js';

/** Where files lie that a bundler would have found. Only pages without a bundler need it. */
export interface Assets extends Partial<Record<DeviceBackend, OrtAssets>> {
  /** Address of this package's dist/browser/worker.js; of the page's own origin. */
  readonly worker?: string | undefined;
}

export type Precision = 'float32' | 'float16';

export interface LoadOptions {
  /** 'auto' when absent: WebGPU where there is an adapter, else WASM; `fallbackReason` says why. */
  readonly device?: Device | undefined;
  /**
   * Of the weights. In browsers 'float16' when absent, half the download, where the bundle has that variant (its
   * `maxError` says what it costs); else 'float32'. All numbers are computed in float32.
   */
  readonly precision?: Precision | undefined;
  /** Threads of WebAssembly on an isolated page: half of the cores, at most 4, when absent. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Told what does no harm now, e.g. STORAGE_FULL, once; written to the console when absent. */
  readonly onWarning?: ((warning: GenserveError) => void) | undefined;
  readonly assets?: Assets | undefined;
  /** Keep the bundle for later visits; true when absent. */
  readonly cache?: boolean | undefined;
  /** How long a step may go on after an abort before its worker is ended and made anew; 250 when absent. */
  readonly graceMs?: number | undefined;
  /** Fetches the bundle's files; the platform's own when absent. */
  readonly fetch?: typeof fetch | undefined;
}

/** As `LoadOptions`, with a server to go to where the device fails: data then leave the device. */
export interface HybridOptions extends LoadOptions {
  readonly hybrid: true;
  /** The server; where the bundle's address is `<server>/bundles/<name>/<version>/`, that when absent. */
  readonly server?: (ConnectOptions & { readonly url: string | URL }) | undefined;
}

/** ONNX operators that hold graphs of their own: WebGPU leaves them to the CPU, with a copy at every turn. */
const CONTROL_FLOW = ['Loop', 'Scan', 'If'];

/**
 * Loads the bundle whose folder is at `url`, e.g. "/bundles/mnist-vae/1/". With `hybrid: true` calls that fail on the
 * device, and models that cannot be loaded there, go to the server; `fallbackReason` says why.
 * Throws ASSET_UNREACHABLE with the address of what could not be fetched, INTEGRITY_MISMATCH, BUNDLE_INVALID,
 * BACKEND_UNAVAILABLE, and CANCELLED after an abort. After a failure the same call may be made again.
 */
export function loadGenerator(url: string | URL, options?: LoadOptions): Promise<DeviceGenerator>;
export function loadGenerator(url: string | URL, options: HybridOptions): Promise<ClientGenerator>;
export async function loadGenerator(
  url: string | URL,
  options: LoadOptions | HybridOptions = {},
): Promise<ClientGenerator> {
  if (!('hybrid' in options)) return await load(url, options);
  const { loadHybrid } = await import('./hybrid.js');
  return await loadHybrid(() => load(url, options), baseUrl(url), options);
}

/** The start of onnxruntime takes longest and needs no file of the bundle: all comes side by side. */
async function load(url: string | URL, options: LoadOptions): Promise<DeviceGenerator> {
  const { device = 'auto', signal, onProgress, assets = {}, graceMs = 250 } = options;
  // What fails first stops the rest.
  const failure = new AbortController();
  const either = signal ? AbortSignal.any([signal, failure.signal]) : failure.signal;
  const threads = chooseThreads(options.threads);
  const opening = open(url, options, either);
  let runner: DeviceRunner | undefined;
  const start = async () => {
    const choice = await chooseBackend(device, async () => loopOf(await opening));
    runner = new DeviceRunner({
      ...choice,
      mayFallBack: device === 'auto',
      assets,
      threads: threads.threads,
      workerScript: assets.worker,
      graceMs,
    });
    await runner.start(either);
    return runner;
  };
  const download = async () => {
    const bundle = await opening;
    const precision = precisionOf(bundle, options.precision);
    const variant = precision === 'float32' ? undefined : precision;
    await downloadFiles(bundle, variant, { signal: either, onProgress });
    return { bundle, precision, variant };
  };
  try {
    const [started, { bundle, precision, variant }] = await Promise.all([start(), download()]);
    onProgress?.({ phase: 'compile', done: 0, total: 1, unit: 'sessions' });
    await started.warmUp(bundle, variant, signal);
    onProgress?.({ phase: 'compile', done: 1, total: 1, unit: 'sessions' });
    return new DeviceGenerator(bundle, started, precision, threads);
  } catch (error) {
    failure.abort(error);
    await runner?.close();
    throw error;
  }
}

async function open(url: string | URL, options: LoadOptions, signal: AbortSignal): Promise<Bundle> {
  const store = options.cache === false ? memoryStore() : await openStore(onceFull(options.onWarning));
  return openBundle(fetchSource(baseUrl(url), store, options.fetch), { signal });
}

/** A control-flow operator of the bundle's graphs. */
function loopOf({ manifest }: Bundle): string | undefined {
  return CONTROL_FLOW.find(operator => manifest.needs?.operators.includes(operator));
}

/** What was asked for; else half precision in a browser, to which bytes are dear. */
function precisionOf({ manifest }: Bundle, asked: Precision | undefined): Precision {
  if (asked) return asked;
  const inBrowser = globalThis.location !== undefined;
  return inBrowser && manifest.variants.some(({ name }) => name === 'float16') ? 'float16' : 'float32';
}

function onceFull(onWarning: LoadOptions['onWarning']): (error: unknown) => void {
  let told = false;
  return cause => {
    if (told) return;
    told = true;
    const warning = new GenserveError('STORAGE_FULL', 'the bundle could not be kept: storage is full', { cause });
    (onWarning ?? console.warn)(warning);
  };
}

/** A model on this device. */
export class DeviceGenerator extends BundleGenerator implements ClientGenerator {
  readonly #device: DeviceRunner;
  /** Of its weights. */
  readonly precision: Precision;
  /** Threads of WebAssembly. */
  readonly threads: number;
  /** Why there is only one. */
  readonly threadsReason: string | undefined;

  constructor(bundle: Bundle, device: DeviceRunner, precision: Precision, { threads, threadsReason }: Threads) {
    super(bundle, device);
    this.#device = device;
    this.precision = precision;
    this.threads = threads;
    this.threadsReason = threadsReason;
  }

  get backend(): DeviceBackend {
    return this.#device.backend;
  }

  get fallbackReason(): string | undefined {
    return this.#device.fallbackReason;
  }

  generate(form: GenerateForm, options?: CompleteOptions) {
    return generate(this, form, options);
  }

  dispose(): Promise<void> {
    return this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
