// The models that this server has, from a folder models/<name>/<version>. A bundle that cannot be served is listed
// with its reason and harms no other.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Bundle, GenserveError, openBundle, type Runner } from '@genserve/runtime';
import { publicError } from '../errors.js';
import { folderSource } from './folder-source.js';
import { ServedModel } from './model.js';
import { warmUp } from './warm-up.js';

export type ModelState = 'loading' | 'ready' | 'unavailable';

/** One version of a model, whatever became of it. */
export interface Entry {
  readonly name: string;
  readonly version: number;
  readonly folder: string;
  state: ModelState;
  /** Why it is unavailable; '' otherwise. */
  reason: string;
  /** Once its files are checked. */
  model?: ServedModel;
}

export interface RepositorySettings {
  readonly folder: string;
  /** Makes the model's sessions in every executor. */
  readonly prepare: (model: ServedModel) => Promise<void>;
  readonly runnerFor: (model: ServedModel) => Runner;
  readonly onChange: (entry: Entry) => void;
}

const namePattern = /^[a-z0-9-]{1,63}$/;
const versionPattern = /^[1-9]\d{0,8}$/;

export class Repository {
  /** Versions by name, newest first. */
  #entries = new Map<string, Entry[]>();

  constructor(private readonly settings: RepositorySettings) {}

  /** Finds what there is; nothing is read yet. @throws CONFIGURATION_INVALID where the folder cannot be listed. */
  async scan(): Promise<void> {
    this.#entries = await scan(this.settings.folder).catch(cause => {
      const message = `models: the folder ${this.settings.folder} cannot be listed`;
      throw new GenserveError('CONFIGURATION_INVALID', message, { field: 'models', cause });
    });
  }

  /** Loads one version after another, newest first, so that memory holds one that is not checked yet. */
  async loadAll(): Promise<void> {
    for (const entry of [...this.#entries.values()].flat()) await this.#load(entry);
  }

  names(): string[] {
    return [...this.#entries.keys()];
  }

  /** Newest first; empty for a name that does not exist. */
  versions(name: string): readonly Entry[] {
    return this.#entries.get(name) ?? [];
  }

  /** The version that serves `version` (0: the newest that is ready, or the newest there is). @throws MODEL_NOT_FOUND */
  entry(name: string, version: number): Entry {
    const versions = this.versions(name);
    const [newest] = versions;
    if (newest === undefined) {
      const known = this.names().join(', ') || 'none';
      throw new GenserveError('MODEL_NOT_FOUND', `model: there is no ${name}; models are ${known}`, { field: 'model' });
    }
    if (version === 0) return versions.find(entry => entry.state === 'ready') ?? newest;
    const found = versions.find(entry => entry.version === version);
    if (found !== undefined) return found;
    const known = versions.map(entry => entry.version).join(', ');
    throw new GenserveError('MODEL_NOT_FOUND', `version: ${name} has no version ${version}; it has ${known}`, {
      field: 'version',
    });
  }

  /** @throws MODEL_NOT_FOUND, MODEL_UNAVAILABLE */
  model(name: string, version: number): ServedModel {
    const { state, reason, model, version: chosen } = this.entry(name, version);
    if (state === 'ready' && model !== undefined) return model;
    const why = state === 'loading' ? 'is still loading' : `cannot be served: ${reason}`;
    throw new GenserveError('MODEL_UNAVAILABLE', `${name} version ${chosen} ${why}`, {
      field: 'model',
      ...(state === 'loading' && { retryAfterMs: 1000 }),
    });
  }

  async #load(entry: Entry): Promise<void> {
    try {
      const bundle = await openBundle(folderSource(entry.folder));
      checkPlace(bundle, entry);
      await checkFiles(bundle);
      const model = new ServedModel(bundle);
      entry.model = model;
      await this.settings.prepare(model);
      await warmUp(model, this.settings.runnerFor(model));
      entry.state = 'ready';
    } catch (error) {
      const { reason, message } = publicError(error);
      entry.state = 'unavailable';
      entry.reason = `${reason}: ${message}`;
    }
    this.settings.onChange(entry);
  }
}

async function scan(folder: string): Promise<Map<string, Entry[]>> {
  const entries = new Map<string, Entry[]>();
  for (const name of await subfolders(folder, namePattern)) {
    const versions = (await subfolders(join(folder, name), versionPattern)).map(Number).sort((a, b) => b - a);
    if (versions.length === 0) continue;
    entries.set(
      name,
      versions.map(version => ({
        name,
        version,
        folder: join(folder, name, String(version)),
        state: 'loading',
        reason: '',
      })),
    );
  }
  return entries;
}

async function subfolders(folder: string, pattern: RegExp): Promise<string[]> {
  const items = await readdir(folder, { withFileTypes: true });
  return items
    .filter(item => (item.isDirectory() || item.isSymbolicLink()) && pattern.test(item.name))
    .map(item => item.name)
    .sort();
}

function checkPlace({ manifest }: Bundle, { name, version }: Entry): void {
  if (manifest.name === name && manifest.version === version) return;
  const stated = `${manifest.name}/${manifest.version}`;
  throw new GenserveError('BUNDLE_INVALID', `the manifest says ${stated}, its folder ${name}/${version}`, {
    field: 'name',
  });
}

/** Size and SHA-256 of every file, then lets go of the bytes: what is run is read, and checked, once more. */
async function checkFiles(bundle: Bundle): Promise<void> {
  for (const { path } of bundle.manifest.files) await bundle.file(path);
  bundle.forget();
}
