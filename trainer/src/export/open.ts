// Bundles on disk, opened for the trainer: to verify, evaluate, sample and calibrate what was exported.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Bundle,
  BundleGenerator,
  type BundleSource,
  type Bytes,
  GenserveError,
  openBundle,
  sessionsRunner,
} from '@genserve/runtime';
import { createSession } from '../engine/session.js';

/** Files of one version's folder, models/<name>/<version>. */
export function folderSource(folder: string): BundleSource {
  return {
    async read(path, options) {
      try {
        const bytes: Bytes = Uint8Array.from(await readFile(join(folder, path)));
        options?.onProgress?.(bytes.length);
        return bytes;
      } catch (cause) {
        throw new GenserveError('ASSET_UNREACHABLE', `${join(folder, path)} cannot be read`, { field: path, cause });
      }
    },
  };
}

export interface OpenOptions {
  /** All cores when absent. */
  readonly threads?: number | undefined;
  /** Name of a variant, e.g. "float16"; the float32 graphs when absent. */
  readonly variant?: string | undefined;
}

/** A bundle's verbs on onnxruntime. Close it to free its sessions. */
export function generatorOf(bundle: Bundle, options: OpenOptions = {}): BundleGenerator {
  const runner = sessionsRunner({
    bundle,
    variant: options.variant,
    openSession: ({ model, externalData }) =>
      createSession(model, { weights: externalData[0]?.data, threads: options.threads }),
  });
  return new BundleGenerator(bundle, runner);
}

/** Opens models/<name>/<version>. Throws BUNDLE_INVALID, INTEGRITY_MISMATCH or ASSET_UNREACHABLE. */
export async function openGenerator(folder: string, options: OpenOptions = {}): Promise<BundleGenerator> {
  return generatorOf(await openBundle(folderSource(folder)), options);
}
