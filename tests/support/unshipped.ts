// Bundles that are trained to be compared with and do not ship: their figures stay, with the hash of what they are of.
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Figures, genserve } from './command.js';
import { root } from './paths.js';
import { record } from './results.js';

/**
 * Figures of `genserve evaluate <name> ...measures`: measured and recorded as docs/results/<name>.json where
 * $GENSERVE_UNSHIPPED, a model repository, holds the bundle; else those that were recorded. `trained`: the command that
 * makes it. Throws where there are neither.
 */
export async function unshippedFigures(
  name: string,
  measures: readonly string[],
  trained: string,
): Promise<Figures['metrics']> {
  const repository = process.env.GENSERVE_UNSHIPPED;
  const bundle = repository && resolve(root, repository, name);
  if (bundle && existsSync(bundle)) {
    const { metrics, context } = await genserve(['evaluate', bundle, ...measures]);
    const command = `${trained}, then genserve evaluate models/${name} ${measures.join(' ')}`;
    record(name, command, metrics, context);
    return metrics;
  }
  const file = `${root}docs/results/${name}.json`;
  if (!existsSync(file))
    throw new Error(`no figures of ${name} yet: ${trained} --out FOLDER, then GENSERVE_UNSHIPPED=FOLDER`);
  return JSON.parse(readFileSync(file, 'utf8')).metrics;
}
