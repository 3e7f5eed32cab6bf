// Anomalies of another data set, by the score that each bundle recommends: the shipped one, and three seeds both ways. Runs
// and bundles in the folder GENSERVE_RUNS (runs/anomaly when absent) are used again, so that a stopped test goes on.
// ANOMALY_ROWS and ANOMALY_STEPS look at fewer test rows and train for fewer steps.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { genserve } from '../support/command.js';
import { models, root } from '../support/paths.js';
import { record } from '../support/results.js';

const SEEDS = [0, 1, 2];
const runs = resolve(process.env.GENSERVE_RUNS ?? `${root}runs/anomaly`);
const { ANOMALY_ROWS, ANOMALY_STEPS } = process.env;
const limit = ANOMALY_ROWS === undefined ? [] : ['--limit', ANOMALY_ROWS];
const steps = ANOMALY_STEPS === undefined ? [] : ['--steps', ANOMALY_STEPS];

it('fashion-vae tells digits from clothes', async () => {
  const command = ['evaluate', 'models/fashion-vae', '--data', 'fashion-mnist'];
  command.push('--anomaly', 'mnist,constant,noise,emoji', ...limit);
  const { metrics, context } = await genserve(command);
  record('anomaly-fashion-vae', `genserve ${command.join(' ')}`, metrics, context);
  expect(metrics['anomaly.auroc']).toBeGreaterThanOrEqual(0.99);
});

describe.each([
  ['fashion-vae', 'fashion-mnist', 'mnist'],
  ['mnist-normal', 'mnist', 'fashion-mnist'],
])('%s', (recipe, normal, anomaly) => {
  it(`finds ${anomaly} among ${normal} with three seeds, trained without labels`, async () => {
    const metrics: Record<string, number> = {};
    for (const seed of SEEDS) {
      const bundle = await trained(recipe, seed);
      const found = await genserve(['evaluate', bundle, '--data', normal, '--anomaly', anomaly, ...limit]);
      metrics[`seed${seed}.auroc`] = found.metrics['anomaly.auroc']!;
      for (const [key, value] of Object.entries(found.metrics))
        if (key.endsWith('.auroc')) metrics[`seed${seed}.${key}`] = value;
    }
    metrics.least_auroc = Math.min(...SEEDS.map(seed => metrics[`seed${seed}.auroc`]!));
    const command = `genserve train --config recipes/${recipe}.yaml --seed 0|1|2, then evaluate --data ${normal} --anomaly ${anomaly}`;
    record(`anomaly-${recipe}-seeds`, command, metrics, { seeds: SEEDS, limit });
    expect(metrics.least_auroc).toBeGreaterThanOrEqual(0.99);
  });
});

/** The bundle of a recipe and a seed: the shipped one, one that is in `runs` already, or a new one. */
async function trained(recipe: string, seed: number): Promise<string> {
  if (seed === 0 && existsSync(`${models}/${recipe}`)) return `models/${recipe}`;
  const name = `${recipe}-${seed}`;
  const [run, out] = [join(runs, name), join(runs, 'models')];
  if (existsSync(join(out, name))) return join(out, name);
  // A run that was stopped goes on; one that is done is exported.
  if (existsSync(join(run, 'run.json'))) await genserve(['resume', run, '--out', out]);
  else {
    const places = ['--runs', runs, '--out', out, '--name', name];
    await genserve(['train', '--config', `recipes/${recipe}.yaml`, '--seed', String(seed), ...places, ...steps]);
  }
  return join(out, name);
}
