// One version of a model that is served: its checked bundle, what its operations cost here, and how many requests use it.
import { type Bundle, type Bytes, findOperation, type Manifest, type Operation } from '@genserve/runtime';
import { fileTensor, type Load } from '../executor/messages.js';
import type { CostModel } from '../scheduler/cost-model.js';

let loadings = 0;

export class ServedModel {
  /** By operation; filled by warm-up and the scheduler. */
  readonly costs = new Map<string, CostModel>();
  /** 'name/version#n': another for every time that the version was loaded. */
  readonly key: string;
  readonly #operations = new Map<string, Operation>();
  #users = 0;
  #whenIdle: (() => void)[] = [];

  constructor(
    readonly bundle: Bundle,
    private readonly location: string,
    private readonly manifestBytes: Bytes,
  ) {
    loadings += 1;
    this.key = `${this.name}/${this.version}#${loadings}`;
  }

  get manifest(): Manifest {
    return this.bundle.manifest;
  }

  get name(): string {
    return this.manifest.name;
  }

  get version(): number {
    return this.manifest.version;
  }

  /** Under the name that is asked for: a member "sample#1" has the ports of `sample`. @throws OPERATION_UNSUPPORTED */
  operation(name: string): Operation {
    const known = this.#operations.get(name);
    if (known !== undefined) return known;
    const operation = { ...findOperation(this.manifest, name), name };
    this.#operations.set(name, operation);
    return operation;
  }

  load(operation: string): Load {
    return { location: this.location, manifest: fileTensor(this.manifestBytes), operation };
  }

  /** A request has begun to use it. */
  hold(): void {
    this.#users += 1;
  }

  release(): void {
    this.#users -= 1;
    if (this.#users > 0) return;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  /** Settles once no request uses it. */
  idle(): Promise<void> {
    return new Promise(resolve => {
      if (this.#users === 0) resolve();
      else this.#whenIdle.push(resolve);
    });
  }
}
