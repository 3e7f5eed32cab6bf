// One version brought into the executors: its files checked, its sessions made and run.
import { type Bundle, type Bytes, GenserveError, openBundle } from '@genserve/runtime';
import type { Entry } from './entries.js';
import { sourceOf } from './folder-source.js';
import { ServedModel } from './model.js';

/** What brings a checked model into the executors and out of them again. */
export interface Loader {
  /** Makes its sessions and runs them. */
  prepare(model: ServedModel): Promise<void>;
  unload(model: ServedModel): Promise<void>;
}

/** Its files checked: size and SHA-256 of each, whose bytes are let go of again. */
export async function openModel(entry: Entry): Promise<ServedModel> {
  const source = sourceOf(entry.folder);
  let manifest: Bytes = new Uint8Array();
  const bundle = await openBundle({
    async read(path, options) {
      const bytes = await source.read(path, options);
      if (path === 'manifest.json') manifest = bytes;
      return bytes;
    },
  });
  checkPlace(bundle, entry);
  for (const { path } of bundle.manifest.files) await bundle.file(path);
  bundle.forget();
  return new ServedModel(bundle, entry.folder, manifest);
}

export async function prepare(model: ServedModel, loader: Loader): Promise<void> {
  try {
    await loader.prepare(model);
  } catch (error) {
    await loader.unload(model);
    throw error;
  }
}

function checkPlace({ manifest }: Bundle, { name, version }: Entry): void {
  if (manifest.name === name && manifest.version === version) return;
  const stated = `${manifest.name}/${manifest.version}`;
  throw new GenserveError('BUNDLE_INVALID', `the manifest says ${stated}, its folder ${name}/${version}`, {
    field: 'name',
  });
}
