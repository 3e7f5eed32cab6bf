// The protocol of held-out classes, whole. What is in the folder GENSERVE_RUNS (runs/held-out when absent) is used again, so
// that a stopped test goes on: about three hours for MNIST's thirty models on two cores, half an hour for Fashion-MNIST's ten.
import { copyFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { genserve } from '../support/command.js';
import { root } from '../support/paths.js';
import { record } from '../support/results.js';

const runs = resolve(process.env.GENSERVE_RUNS ?? `${root}runs/held-out`);

interface Context {
  readonly classes: object;
  /** Score of each family. */
  readonly chosen: Readonly<Record<string, string>>;
  readonly summaries: object;
}

/** Records the figures, those of the chosen scores under names of their own. */
async function heldOut(data: string, families: string, ...budget: string[]): Promise<Record<string, number>> {
  const command = ['evaluate', '--protocol', 'held-out-class', '--data', data, '--families', families, ...budget];
  const figures = await genserve([...command, '--runs', runs]);
  const { classes, chosen, summaries } = figures.context as Context; // what cli/src/held-out.ts prints
  const metrics = { ...figures.metrics };
  for (const [name, value] of Object.entries(figures.metrics)) {
    const [, family, score, label, measure] = /^held_out\.(.+)\.(.+)\.(\d+)\.(.+)$/.exec(name) ?? [];
    if (family && chosen[family] === score) metrics[`chosen.${family}.${label}.${measure}`] = value;
  }
  const said = `genserve ${command.join(' ')} --runs runs/held-out`;
  record(`held-out-${data}`, said, metrics, { classes, chosen, summaries });
  copyFileSync(`${runs}/held-out-${data}.html`, `${root}docs/results/held-out-${data}.html`);
  return metrics;
}

it('finds digits that a model has not seen, by one score chosen without them', async () => {
  const metrics = await heldOut('mnist', 'vae,gated-pixelcnn,dcgan');
  expect(metrics['anomaly.held_out.vae.mean_aupr']).toBeGreaterThanOrEqual(0.5385);
  expect(metrics['chosen.vae.1.aupr']).toBeGreaterThanOrEqual(0.4);
});

it('ranks clothes of a kind that a model has not seen', async () => {
  const metrics = await heldOut('fashion-mnist', 'vae', '--minutes', '3');
  expect(metrics['anomaly.held_out.vae.mean_aupr']).toBeGreaterThan(0.1);
});
