// One version of a model that is served: its checked bundle, and what its operations cost here.
import { type Bundle, findOperation, type GraphFiles, type Manifest, type Operation } from '@genserve/runtime';
import type { CostModel } from '../scheduler/cost-model.js';

export class ServedModel {
  /** By operation; filled by the scheduler. */
  readonly costs = new Map<string, CostModel>();

  constructor(readonly bundle: Bundle) {}

  get manifest(): Manifest {
    return this.bundle.manifest;
  }

  get name(): string {
    return this.manifest.name;
  }

  get version(): number {
    return this.manifest.version;
  }

  get key(): string {
    return `${this.name}/${this.version}`;
  }

  /** Under the name that is asked for: a member "sample#1" has the ports of `sample`. @throws OPERATION_UNSUPPORTED */
  operation(name: string): Operation {
    return { ...findOperation(this.manifest, name), name };
  }

  graph(operation: string): Promise<GraphFiles> {
    return this.bundle.graph(operation);
  }
}
