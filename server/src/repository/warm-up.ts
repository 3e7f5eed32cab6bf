// First runs of a model before it is called ready: they make its sessions, fill onnxruntime's caches and measure what a row costs.
import { buildFeeds, type Manifest, type Operation, sizeOf, type Tensor, type Tensors } from '@genserve/runtime';
import type { WarmUp } from '../executor/pool.js';
import { CostModel } from '../scheduler/cost-model.js';
import type { ServedModel } from './model.js';

/** What nearly every caller uses; sessions of other operations are made on first use. */
const operations = ['sample', 'log_prob'];
const batches = [1, 8, 32];
/** A larger batch that should take longer is not tried. */
const longestTrialMs = 1000;

/** Graphs by the names that runners know; each member of an ensemble is one. */
export function warmUpGraphs({ manifest }: ServedModel): string[] {
  return manifest.operations
    .filter(({ name }) => operations.includes(name))
    .flatMap(({ name, members }) => (members.length > 0 ? members.map((_, member) => `${name}#${member}`) : [name]));
}

export function warmUpOf(model: ServedModel): WarmUp {
  const trial = (name: string, rows: number) => trialFeeds(model.manifest, model.operation(name), rows);
  return {
    async firstRuns(run) {
      for (const name of warmUpGraphs(model)) await run(name, trial(name, 1));
    },
    async measure(run) {
      for (const name of warmUpGraphs(model)) {
        const cost = new CostModel();
        for (const rows of batches) {
          if (cost.predictMs(rows) > longestTrialMs) break;
          const { milliseconds } = await run(name, trial(name, rows));
          cost.observe(rows, milliseconds);
        }
        model.costs.set(name, cost);
      }
    },
  };
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
