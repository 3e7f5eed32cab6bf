// Training that starts from weights which are there: a bundle's, or another run's.
import { existsSync } from 'node:fs';
import { GenserveError, invalid, openBundle } from '@genserve/runtime';
import { folderSource } from '../export/open.js';
import { type BundleParameter, readParameters } from '../export/parameters.js';
import { familyOf } from '../families/load.js';
import { size } from '../graph/types.js';
import type { Variable } from '../nn/variable.js';
import { averagedState } from '../optim/average.js';
import { latestCheckpoint } from './checkpoint.js';
import { buildModel } from './run.js';
import { readRunRecord, runPaths } from './run-folder.js';

/** Values of variables by name, from models/<name>/<version> or runs/<id>. Throws INVALID_ARGUMENT (initFrom) where there are none. */
export async function readInitial(source: string): Promise<Map<string, BundleParameter>> {
  if (!existsSync(source))
    throw invalid('initFrom', `${source} is not there; give models/<name>/<version> or runs/<id>`);
  if (!existsSync(runPaths(source).record)) return readParameters(await openBundle(folderSource(source)));
  const record = await readRunRecord(source);
  const checkpoint = await latestCheckpoint(runPaths(source).checkpoints);
  if (!checkpoint) throw invalid('initFrom', `${source} has no whole checkpoint yet`);
  const state = averagedState(checkpoint.state);
  const { variables } = buildModel(record, await familyOf(record));
  return new Map(variables.map(({ name, shape }) => [name, { shape, values: state.get(name)! }]));
}

/**
 * What of `found` the model takes. Networks of which `found` has nothing (a critic that was never exported) keep their
 * first values and are returned as `fresh`; in a network that it has, every name and shape must be the model's.
 * Throws CONFIGURATION_INVALID (initFrom) with the first that is not.
 */
export function matchInitial(
  found: ReadonlyMap<string, BundleParameter>,
  variables: readonly Variable[],
): { values: Map<string, Float32Array>; fresh: string[] } {
  const networkOf = (name: string) => name.split('/')[0]!;
  const networks = new Set([...found.keys()].map(networkOf));
  const values = new Map<string, Float32Array>();
  const fresh = new Set<string>();
  for (const { name, shape, trainable } of variables) {
    const given = found.get(name);
    if (given && String(given.shape) !== String(shape))
      throw mismatch(`${name} is [${given.shape}] there and [${shape}] in this model`);
    if (given) values.set(name, Float32Array.from(given.values));
    else if (!networks.has(networkOf(name))) fresh.add(networkOf(name));
    // Running statistics of training alone are not exported.
    else if (trainable) throw mismatch(`${name}, ${size(shape)} numbers of this model, is not there`);
  }
  const surplus = [...found.keys()].find(name => !values.has(name));
  if (surplus !== undefined) throw mismatch(`${surplus} is there, and this model has no such variable`);
  return { values, fresh: [...fresh] };
}

function mismatch(what: string): GenserveError {
  return new GenserveError(
    'CONFIGURATION_INVALID',
    `initFrom: ${what}; family, preset and configuration must be those of what it starts from`,
    { field: 'initFrom' },
  );
}
