// Chooses a backend and its threads, and says why: `navigator.gpu` alone promises nothing, only an adapter does.
import { GenserveError } from '@genserve/runtime';
import type { DeviceBackend } from './onnxruntime.js';

export type Device = 'auto' | DeviceBackend;

export interface Choice {
  readonly backend: DeviceBackend;
  /** Why it is not WebGPU, when WebGPU was possible to ask for. */
  readonly fallbackReason?: string | undefined;
}

/** What of WebGPU is asked here; the DOM library of TypeScript does not have it everywhere. */
interface Gpu {
  requestAdapter(): Promise<object | null>;
}

async function missingWebGpu(): Promise<string | undefined> {
  const navigator: { gpu?: Gpu } | undefined = globalThis.navigator;
  if (!navigator?.gpu) return 'this browser has no WebGPU';
  try {
    return (await navigator.gpu.requestAdapter()) ? undefined : 'WebGPU found no adapter';
  } catch (error) {
    return `WebGPU gave no adapter: ${error instanceof Error ? error.message : error}`;
  }
}

/**
 * `wasm` and `webgpu` are taken at their word: BACKEND_UNAVAILABLE where WebGPU cannot be had. `auto` takes WebGPU
 * where it helps. `loops` names a control-flow operator of the model, which WebGPU would leave to the CPU at every turn;
 * it is asked only where that matters, as the model's manifest may still be on its way.
 */
export async function chooseBackend(device: Device, loops: () => Promise<string | undefined>): Promise<Choice> {
  if (device === 'wasm') return { backend: 'wasm' };
  const missing = await missingWebGpu();
  if (missing && device === 'webgpu')
    throw new GenserveError('BACKEND_UNAVAILABLE', `${missing}; device 'wasm' would work`);
  if (missing) return { backend: 'wasm', fallbackReason: missing };
  const loop = device === 'auto' && (await loops());
  return loop ? { backend: 'wasm', fallbackReason: `the model runs ${loop} on the CPU` } : { backend: 'webgpu' };
}

export interface Threads {
  readonly threads: number;
  /** Why there is only one. */
  readonly threadsReason?: string | undefined;
}

const MOST_THREADS = 4;

/** Threads of WebAssembly: half of the machine's, at most 4, where the page may have any; `asked` overrides the number. */
export function chooseThreads(asked: number | undefined): Threads {
  // Node, where a page's rule does not hold, has no such flag.
  if (globalThis.crossOriginIsolated === false) {
    const threadsReason = 'the page is not cross-origin isolated, by COOP and COEP headers';
    return { threads: 1, threadsReason };
  }
  const cores = globalThis.navigator?.hardwareConcurrency ?? 1;
  const threads = asked ?? Math.min(MOST_THREADS, Math.ceil(cores / 2));
  return threads > 1 ? { threads } : { threads: 1, threadsReason: `half of ${cores} cores` };
}
