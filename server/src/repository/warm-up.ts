// First runs of a model before it is called ready: they make its sessions, fill onnxruntime's caches and measure what a row costs.
import {
  buildFeeds,
  type Manifest,
  type Operation,
  type Runner,
  sizeOf,
  type Tensor,
  type Tensors,
} from '@genserve/runtime';
import type { ServedModel } from './model.js';

/** What nearly every caller uses; sessions of other operations are made on first use. */
const operations = ['sample', 'log_prob'];
const batchRows = 8;
/** A row slower than this is not worth a second measurement: no batch of it fits into a step. */
const slowRowMs = 500;

/** Graphs by the names that runners know; each member of an ensemble is one. */
export function warmUpGraphs({ manifest }: ServedModel): string[] {
  return manifest.operations
    .filter(({ name }) => operations.includes(name))
    .flatMap(({ name, members }) => (members.length > 0 ? members.map((_, member) => `${name}#${member}`) : [name]));
}

export async function warmUp(model: ServedModel, runner: Runner): Promise<void> {
  for (const name of warmUpGraphs(model)) {
    const run = (rows: number) => runner.run(name, trialFeeds(model.manifest, model.operation(name), rows));
    await run(1);
    // The first run also allocates: it says nothing of the next.
    model.costs.delete(name);
    await run(1);
    if ((model.costs.get(name)?.predictMs(1) ?? 0) < slowRowMs) await run(batchRows);
  }
}

/** Feeds that are valid, whatever the operation: zeros where an input has no default, seeded noise elsewhere. */
export function trialFeeds(manifest: Manifest, operation: Operation, rows: number): Tensors {
  const given: Record<string, Tensor> = {};
  for (const { name, dtype, role, shape, default: value } of operation.inputs) {
    if (role === 'noise' || role === 'state' || value !== undefined) continue;
    const full = [rows, ...shape.slice(1)];
    const data = dtype === 'int32' ? new Int32Array(sizeOf(full)) : new Float32Array(sizeOf(full));
    given[name] = { dtype: dtype === 'int32' ? 'int32' : 'float32', shape: full, data };
  }
  return buildFeeds(manifest, operation, rows, given, { seed: 0 });
}
