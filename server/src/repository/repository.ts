// What becomes of the models that this server has: loaded, checked and warmed up before they are ready,
// replaced while they serve, unloaded once nobody uses them. A bundle that cannot be served is listed with its reason
// and harms no other; one that fails to reload goes on as it was.
import { GenserveError, serialQueue } from '@genserve/runtime';
import { publicError } from '../errors.js';
import type { Settings } from '../options.js';
import type { Catalogue } from './catalogue.js';
import { Entries, type Entry } from './entries.js';
import { type Loader, openModel, prepare } from './load-model.js';
import type { ServedModel } from './model.js';

export interface RepositorySettings extends Omit<Settings['repository'], 'pollMs'> {
  readonly catalogue: Catalogue;
  readonly loader: Loader;
  /** Called whenever the state of an entry has changed. */
  readonly onChange: (entry: Entry) => void;
}

const notLoaded = 'NOT_LOADED: it was not asked for';
/** Requests that began with a version may use it for so long after it was replaced. */
const longestUseMs = 10 * 60_000;

export class Repository extends Entries {
  readonly #inTurn = serialQueue();

  constructor(private readonly settings: RepositorySettings) {
    super(settings);
  }

  /** Finds what there is; nothing is read yet. @throws CONFIGURATION_INVALID where the models cannot be listed. */
  async scan(): Promise<void> {
    await this.#list().catch(cause => {
      throw new GenserveError('CONFIGURATION_INVALID', 'models: the folder cannot be listed', {
        field: 'models',
        cause,
      });
    });
    for (const name of this.settings.load) {
      if (this.versions(name).length > 0) continue;
      throw new GenserveError('CONFIGURATION_INVALID', `repository.load: there is no ${name}`, {
        field: 'repository.load',
      });
    }
    for (const entry of this.wanted()) entry.state = 'loading';
  }

  /** Loads what is wanted, one version after another, so that memory holds one that is not checked yet. */
  async loadAll(): Promise<void> {
    for (const entry of this.wanted()) await this.#inTurn(() => this.#load(entry));
  }

  /** Loads what is new or changed and drops what is gone or no longer wanted. For control `poll`. */
  async poll(): Promise<void> {
    await this.#inTurn(async () => {
      await this.#list();
      const wanted = this.wanted();
      for (const entry of wanted) {
        const fingerprint = await this.settings.catalogue.fingerprint(entry.name, entry.version);
        if (fingerprint !== '' && fingerprint !== entry.fingerprint) await this.#load(entry);
      }
      for (const name of this.names()) {
        // Where a new version turned out bad, the one that it should have replaced goes on.
        if (wanted.some(entry => entry.name === name && entry.state !== 'ready')) continue;
        for (const entry of this.versions(name)) if (!wanted.includes(entry)) this.#unload(entry);
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
      const entries = version === 0 ? this.wantedOf(name) : [this.entry(name, version)];
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

  #checkExplicit(): void {
    if (this.settings.control === 'explicit') return;
    const message = `models are loaded by "${this.settings.control}"; loading by request needs --control explicit`;
    throw new GenserveError('METHOD_NOT_ALLOWED', message);
  }

  /** New versions are not loaded yet; those that are gone are dropped. */
  async #list(): Promise<void> {
    const { catalogue } = this.settings;
    const gone = this.list(await catalogue.list(), (name, version) => ({
      name,
      version,
      folder: catalogue.locate(name, version),
      state: 'unavailable',
      reason: notLoaded,
      fingerprint: '',
    }));
    for (const entry of gone) this.#unload(entry);
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
