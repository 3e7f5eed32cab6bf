// The model that was picked: on the server, and in this browser once it is asked for there.
import { type ClientGenerator, connect, loadGenerator, type Progress, type RemoteGenerator } from '@genserve/sdk';
import type { View } from './panel.js';
import type { Place } from './snippets.js';

export interface LoadFigures {
  /** Time to download, verify and compile, milliseconds. */
  readonly tookMs: number;
  readonly bytes: number;
}

export class ModelSession {
  readonly remote: RemoteGenerator;
  readonly server: string;
  loaded: LoadFigures | undefined;
  /** What the page offers for it. */
  views: readonly View[] = [];
  #local: Promise<ClientGenerator> | undefined;

  private constructor(remote: RemoteGenerator, server: string) {
    this.remote = remote;
    this.server = server;
  }

  static async open(server: string, model: string): Promise<ModelSession> {
    return new ModelSession(await connect(server, { model }), server);
  }

  get manifest() {
    return this.remote.manifest;
  }

  /** The model at a place. The first call for the browser loads it there; a load that failed is tried again. */
  async at(place: Place, onProgress?: (progress: Progress) => void): Promise<ClientGenerator> {
    if (place === 'server') return this.remote;
    this.#local ??= this.#load(onProgress).catch(error => {
      this.#local = undefined;
      throw error;
    });
    return this.#local;
  }

  async close(): Promise<void> {
    const local = await this.#local?.catch(() => undefined);
    await local?.close();
  }

  async #load(onProgress?: (progress: Progress) => void): Promise<ClientGenerator> {
    const start = performance.now();
    let bytes = 0;
    const local = await loadGenerator(this.remote.bundleUrl, {
      onProgress(progress) {
        if (progress.unit === 'bytes') bytes = progress.total;
        onProgress?.(progress);
      },
    });
    this.loaded = { tookMs: performance.now() - start, bytes };
    return local;
  }

  hasOperation(name: string): boolean {
    return this.manifest.operations.some(operation => operation.name === name);
  }

  /** Whether it draws pixel by pixel, and so in slices of rows. */
  get isAutoregressive(): boolean {
    return this.samplesWith('count');
  }

  /** Whether `sample` has an input of this role. */
  samplesWith(role: string): boolean {
    return this.portOf('sample', role) !== undefined;
  }

  /** The first input of this role of an operation. */
  portOf(operation: string, role: string) {
    return this.manifest.operations.find(({ name }) => name === operation)?.inputs.find(port => port.role === role);
  }
}
