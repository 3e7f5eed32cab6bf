// Every version of every model that there is, and which of them a reference means.
import { GenserveError } from '@genserve/runtime';
import type { Settings } from '../options.js';
import type { ServedModel } from './model.js';
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

/** Which versions are wanted, and what they are called. */
export type VersionRules = Pick<Settings['repository'], 'control' | 'load' | 'versions' | 'models'>;

export class Entries {
  /** Versions by name, newest first. */
  #entries = new Map<string, Entry[]>();

  constructor(private readonly rules: VersionRules) {}

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
    const labels = this.rules.models[name]?.labels ?? {};
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

  /** What is listed now: entries that exist stay; `added` makes those that do not. Returns those that are gone. */
  protected list(
    listed: ReadonlyMap<string, readonly number[]>,
    added: (name: string, version: number) => Entry,
  ): Entry[] {
    const before = this.index();
    const entryOf = (name: string, version: number) =>
      before.find(entry => entry.name === name && entry.version === version) ?? added(name, version);
    this.#entries = new Map(
      [...listed].map(([name, versions]) => [name, versions.map(version => entryOf(name, version))]),
    );
    const after = new Set(this.index());
    return before.filter(entry => !after.has(entry));
  }

  /** Those that should be served. */
  protected wanted(): Entry[] {
    const { control, load } = this.rules;
    return (control === 'explicit' ? load : this.names()).flatMap(name => this.wantedOf(name));
  }

  protected wantedOf(name: string): Entry[] {
    const versions = this.versions(name);
    const policy = this.rules.models[name]?.versions ?? this.rules.versions;
    const numbers = versions.map(entry => entry.version);
    const labelled = Object.values(this.rules.models[name]?.labels ?? {});
    const chosen = [...chooseVersions(policy, numbers), ...labelled];
    return versions.filter(entry => chosen.includes(entry.version));
  }
}
