// The models that this server has, and what becomes of them: loaded, checked and warmed up before they are ready,
// replaced while they serve, unloaded once nobody uses them. A bundle that cannot be served is listed with its reason
// and harms no other; one that fails to reload goes on as it was.
import { type Bundle, type Bytes, GenserveError, openBundle, serialQueue } from '@genserve/runtime';
import { publicError } from '../errors.js';
import type { Settings } from '../options.js';
import type { Catalogue } from './catalogue.js';
import { sourceOf } from './folder-source.js';
import { ServedModel } from './model.js';
import { chooseVersions } from './policy.js';

export type ModelState = 'loading' | 'ready' | 'unavailable';

/** One version of a model, whatever became of it. */
export interface Entry {
  readonly name: string;
  readonly version: number;
  readonly folder: string;
  state: ModelState;
  /** Why it is unavailable, or why its last reload failed; '' otherwise. */
  reason: string;
  /** Once its files are checked. */
  model?: ServedModel;
  /** Of the files that were last tried. */
  fingerprint: string;
}

/** What brings a checked model into the executors and out of them again. */
export interface Loader {
  /** Makes its sessions and runs them. */
  prepare(model: ServedModel): Promise<void>;
  unload(model: ServedModel): Promise<void>;
}

export interface RepositorySettings extends Omit<Settings['repository'], 'pollMs'> {
  readonly catalogue: Catalogue;
  readonly loader: Loader;
  /** Called whenever the state of an entry has changed. */
  readonly onChange: (entry: Entry) => void;
}

const notLoaded = 'NOT_LOADED: it was not asked for';
/** Requests that began with a version may use it for so long after it was replaced. */
const longestUseMs = 10 * 60_000;

export class Repository {
  /** Versions by name, newest first. */
  #entries = new Map<string, Entry[]>();
  readonly #inTurn = serialQueue();

  constructor(private readonly settings: RepositorySettings) {}

  /** Finds what there is; nothing is read yet. @throws CONFIGURATION_INVALID where the models cannot be listed. */
  async scan(): Promise<void> {
    await this.#list().catch(cause => {
      throw new GenserveError('CONFIGURATION_INVALID', 'models: the folder cannot be listed', {
        field: 'models',
        cause,
      });
    });
    for (const name of this.settings.load) {
      if (this.#entries.has(name)) continue;
      throw new GenserveError('CONFIGURATION_INVALID', `repository.load: there is no ${name}`, {
        field: 'repository.load',
      });
    }
    for (const entry of this.#wanted()) entry.state = 'loading';
  }

  /** Loads what is wanted, one version after another, so that memory holds one that is not checked yet. */
  async loadAll(): Promise<void> {
    for (const entry of this.#wanted()) await this.#inTurn(() => this.#load(entry));
  }

  /** Loads what is new or changed and drops what is gone or no longer wanted. For control `poll`. */
  async poll(): Promise<void> {
    await this.#inTurn(async () => {
      await this.#list();
      const wanted = this.#wanted();
      for (const entry of wanted) {
        const fingerprint = await this.settings.catalogue.fingerprint(entry.name, entry.version);
        if (fingerprint !== '' && fingerprint !== entry.fingerprint) await this.#load(entry);
      }
      for (const [name, entries] of this.#entries) {
        // Where a new version turned out bad, the one that it should have replaced goes on.
        if (wanted.some(entry => entry.name === name && entry.state !== 'ready')) continue;
        for (const entry of entries) if (!wanted.includes(entry)) this.#unload(entry);
      }
    });
  }

  /**
   * Loads or reloads the versions that the policy wants, or one of them. Requests that run go on with what they began with.
   * @throws MODEL_NOT_FOUND, METHOD_NOT_ALLOWED, MODEL_UNAVAILABLE with what was wrong
   */
  async load(name: string, version = 0): Promise<void> {
    this.#checkExplicit();
    await this.#inTurn(async () => {
      await this.#list();
      const entries = version === 0 ? this.#wantedOf(name) : [this.entry(name, version)];
      if (entries.length === 0) this.entry(name, 0); // throws where there is no such model
      for (const entry of entries) {
        await this.#load(entry);
        if (entry.reason !== '')
          throw new GenserveError('MODEL_UNAVAILABLE', `${entry.name} version ${entry.version}: ${entry.reason}`, {
            field: 'model',
          });
      }
    });
  }

  /** @throws MODEL_NOT_FOUND, METHOD_NOT_ALLOWED */
  async unload(name: string, version = 0): Promise<void> {
    this.#checkExplicit();
    await this.#inTurn(async () => {
      const one = this.entry(name, version);
      for (const entry of version === 0 ? this.versions(one.name) : [one]) this.#unload(entry);
    });
  }

  names(): string[] {
    return [...this.#entries.keys()];
  }

  /** Every version of every model. */
  index(): Entry[] {
    return [...this.#entries.values()].flat();
  }

  /** Newest first; empty for a name that does not exist. */
  versions(name: string): readonly Entry[] {
    return this.#entries.get(name) ?? [];
  }

  /**
   * The version that serves `version` of "name" or "name@label". 0 is the one labelled `stable` where there is such a
   * label, else the newest that is ready, else the newest there is. @throws MODEL_NOT_FOUND
   */
  entry(reference: string, version: number): Entry {
    const [name = '', label] = reference.split('@');
    const versions = this.versions(name);
    const [newest] = versions;
    if (newest === undefined) {
      const known = this.names().join(', ') || 'none';
      throw new GenserveError('MODEL_NOT_FOUND', `model: there is no ${name}; models are ${known}`, { field: 'model' });
    }
    const labels = this.settings.models[name]?.labels ?? {};
    if (label !== undefined && labels[label] === undefined) {
      const known = Object.keys(labels).join(', ') || 'none';
      throw new GenserveError('MODEL_NOT_FOUND', `model: ${name} has no label ${label}; its labels are ${known}`, {
        field: 'model',
      });
    }
    const wanted = version || (label === undefined ? labels.stable : labels[label]) || 0;
    if (wanted === 0) return versions.find(entry => entry.state === 'ready') ?? newest;
    const found = versions.find(entry => entry.version === wanted);
    if (found !== undefined) return found;
    const known = versions.map(entry => entry.version).join(', ');
    throw new GenserveError('MODEL_NOT_FOUND', `version: ${name} has no version ${wanted}; it has ${known}`, {
      field: 'version',
    });
  }

  /** @throws MODEL_NOT_FOUND, MODEL_UNAVAILABLE */
  model(reference: string, version: number): ServedModel {
    const { name, state, reason, model, version: chosen } = this.entry(reference, version);
    if (state === 'ready' && model !== undefined) return model;
    const why = state === 'loading' ? 'is still loading' : `cannot be served: ${reason}`;
    throw new GenserveError('MODEL_UNAVAILABLE', `${name} version ${chosen} ${why}`, {
      field: 'model',
      ...(state === 'loading' && { retryAfterMs: 1000 }),
    });
  }

  #checkExplicit(): void {
    if (this.settings.control === 'explicit') return;
    const message = `models are loaded by "${this.settings.control}"; loading by request needs --control explicit`;
    throw new GenserveError('METHOD_NOT_ALLOWED', message);
  }

  /** Entries that exist stay; new ones are not loaded yet; those that are gone are dropped. */
  async #list(): Promise<void> {
    const { catalogue } = this.settings;
    const before = this.#entries;
    const listed = await catalogue.list();
    const isListed = ({ name, version }: Entry) => listed.get(name)?.includes(version) ?? false;
    for (const entry of this.index()) if (!isListed(entry)) this.#unload(entry);
    this.#entries = new Map();
    for (const [name, versions] of listed) {
      const entries = versions.map(
        (version): Entry =>
          before.get(name)?.find(entry => entry.version === version) ?? {
            name,
            version,
            folder: catalogue.locate(name, version),
            state: 'unavailable',
            reason: notLoaded,
            fingerprint: '',
          },
      );
      this.#entries.set(name, entries);
    }
  }

  #wanted(): Entry[] {
    const { control, load } = this.settings;
    return (control === 'explicit' ? load : this.names()).flatMap(name => this.#wantedOf(name));
  }

  #wantedOf(name: string): Entry[] {
    const versions = this.versions(name);
    const policy = this.settings.models[name]?.versions ?? this.settings.versions;
    const numbers = versions.map(entry => entry.version);
    const labelled = Object.values(this.settings.models[name]?.labels ?? {});
    const chosen = [...chooseVersions(policy, numbers), ...labelled];
    return versions.filter(entry => chosen.includes(entry.version));
  }

  async #load(entry: Entry): Promise<void> {
    const { catalogue, loader, onChange } = this.settings;
    const before = entry.state === 'ready' ? entry.model : undefined;
    if (before === undefined) entry.state = 'loading';
    entry.fingerprint = await catalogue.fingerprint(entry.name, entry.version);
    try {
      const model = await openModel(entry);
      if (before === undefined) entry.model = model;
      await prepare(model, loader);
      entry.model = model;
      entry.state = 'ready';
      entry.reason = '';
    } catch (error) {
      const { reason, message } = publicError(error);
      entry.reason = `${reason}: ${message}`;
      if (before === undefined) entry.state = 'unavailable';
    }
    onChange(entry);
    if (before !== undefined && before !== entry.model) this.#retire(before);
  }

  #unload(entry: Entry): void {
    const { model, state } = entry;
    entry.reason = notLoaded;
    entry.fingerprint = '';
    entry.state = 'unavailable';
    delete entry.model;
    if (state !== 'ready' || model === undefined) return;
    this.settings.onChange(entry);
    this.#retire(model);
  }

  /** Its sessions go once the requests that began with it are over. */
  #retire(model: ServedModel): void {
    const timeout = new Promise<void>(resolve => setTimeout(resolve, longestUseMs).unref());
    void Promise.race([model.idle(), timeout]).then(() => this.settings.loader.unload(model));
  }
}

/** Its files checked: size and SHA-256 of each, whose bytes are let go of again. */
async function openModel(entry: Entry): Promise<ServedModel> {
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

async function prepare(model: ServedModel, loader: Loader): Promise<void> {
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
