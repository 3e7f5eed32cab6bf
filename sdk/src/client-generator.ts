// What the SDK adds to a Generator: where it runs, and why there.
import type { Generator } from '@genserve/runtime';

export interface ClientGenerator extends Generator, AsyncDisposable {
  readonly backend: 'webgpu' | 'wasm' | 'server';
  /** Why it does not run on WebGPU although that was possible to ask for. May appear later, when a device is lost. */
  readonly fallbackReason: string | undefined;
}
