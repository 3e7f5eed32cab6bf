// The repository as one caller may see and change it.
import { GenserveError } from '@genserve/runtime';
import type { Entry } from '../repository/entries.js';
import type { ServedModel } from '../repository/model.js';
import type { Repository } from '../repository/repository.js';
import { type Caller, mayUse } from './caller.js';

/** What requests may ask of a repository. */
export type Models = Pick<Repository, 'names' | 'versions' | 'index' | 'entry' | 'model' | 'load' | 'unload'>;

export class RestrictedRepository implements Models {
  constructor(
    private readonly all: Models,
    private readonly caller: Caller,
  ) {}

  names(): string[] {
    return this.all.names().filter(name => mayUse(this.caller, name));
  }

  versions(name: string): readonly Entry[] {
    return mayUse(this.caller, name) ? this.all.versions(name) : [];
  }

  index(): Entry[] {
    return this.all.index().filter(({ name }) => mayUse(this.caller, name));
  }

  entry(reference: string, version: number): Entry {
    this.#check(reference);
    return this.all.entry(reference, version);
  }

  model(reference: string, version: number): ServedModel {
    this.#check(reference);
    return this.all.model(reference, version);
  }

  async load(name: string, version?: number): Promise<void> {
    this.#checkAdmin();
    this.#check(name);
    await this.all.load(name, version);
  }

  async unload(name: string, version?: number): Promise<void> {
    this.#checkAdmin();
    this.#check(name);
    await this.all.unload(name, version);
  }

  #check(reference: string): void {
    const [name = ''] = reference.split('@');
    if (mayUse(this.caller, name)) return;
    const allowed = this.names().join(', ') || 'none';
    throw new GenserveError('PERMISSION_DENIED', `model: ${this.caller.name} may use ${allowed}, not ${name}`, {
      field: 'model',
    });
  }

  #checkAdmin(): void {
    if (this.caller.admin) return;
    throw new GenserveError('PERMISSION_DENIED', `${this.caller.name} may not load or unload models`);
  }
}
