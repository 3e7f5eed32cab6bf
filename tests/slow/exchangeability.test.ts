// Why false alarms on MNIST's test digits may stray farther than chance allows for rows that are exchangeable: the digits are
// not. Computed here from the scores alone, without the tables and p-values of the bundles.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fillNoise } from '@genserve/runtime';
import { openDataset } from '@genserve/trainer';
import { expect, it } from 'vitest';
import { genserve } from '../support/command.js';
import { models } from '../support/paths.js';
import { record } from '../support/results.js';

const ALPHAS = [0.01, 0.05, 0.1];
const PERMUTATIONS = Number(process.env.PERMUTATIONS ?? 400);
/** Neighbouring rows that make a block; about six writers of MNIST's second half. */
const BLOCK = 250;

type Columns = readonly Float64Array[];

/** Every score of a part of the data, [scores][rows]. */
async function scoresOf(bundle: string, data: string, split: string): Promise<Columns> {
  const { scores } = JSON.parse(readFileSync(`${models}/${bundle}/1/manifest.json`, 'utf8')) as {
    scores: { name: string }[];
  };
  const names = scores.map(({ name }) => name);
  const folder = mkdtempSync(join(tmpdir(), 'genserve-exchangeability-'));
  try {
    const out = join(folder, 'scores.jsonl');
    await genserve(['score', `models/${bundle}`, data, '--split', split, '--scores', names.join(), '--out', out]);
    const rows = readFileSync(out, 'utf8')
      .trim()
      .split('\n')
      .map(line => (JSON.parse(line) as { scores: Record<string, { value: number }> }).scores);
    return names.map(name => Float64Array.from(rows, row => row[name]!.value));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Greatest distance of false alarms from alpha, in standard deviations of exchangeable rows, over all scores and alphas. */
function greatestDeviations(calibration: Columns, test: Columns): number {
  const [n, m] = [calibration[0]!.length, test[0]!.length];
  const deviations = calibration.flatMap((column, score) => {
    const sorted = Float64Array.from(column).sort();
    return ALPHAS.map(alpha => {
      const threshold = sorted[n - Math.floor(alpha * (n + 1))]!;
      const rate = test[score]!.filter(value => value >= threshold).length / m;
      return Math.abs(rate - alpha) / Math.sqrt(alpha * (1 - alpha) * (1 / n + 1 / m));
    });
  });
  return Math.max(...deviations);
}

/** The same for these two parts, and for as large ones drawn at random of both together. */
function permutationTest(calibration: Columns, test: Columns) {
  const observed = greatestDeviations(calibration, test);
  const pooled = calibration.map((column, score) => Float64Array.from([...column, ...test[score]!]));
  const [n, total] = [calibration[0]!.length, pooled[0]!.length];
  const drawn = Array.from({ length: PERMUTATIONS }, (_, draw) => {
    const order = randomOrder(total, draw);
    const rows = (part: Uint32Array) => pooled.map(column => Float64Array.from(part, row => column[row]!));
    return greatestDeviations(rows(order.subarray(0, n)), rows(order.subarray(n)));
  }).sort((a, b) => a - b);
  return {
    observed,
    random_median: drawn[PERMUTATIONS / 2]!,
    random_beyond_3: drawn.filter(value => value > 3).length / PERMUTATIONS,
    p: (1 + drawn.filter(value => value >= observed).length) / (1 + PERMUTATIONS),
  };
}

function randomOrder(count: number, draw: number): Uint32Array {
  const keys = fillNoise({ seed: 0, name: 'exchangeability', draw, shape: [count], distribution: 'uniform' });
  return Uint32Array.from(keys.keys()).sort((a, b) => keys[a]! - keys[b]!);
}

/**
 * Variance of the share of rows beyond the 90 % quantile between blocks of neighbours, in that of independent rows: about 1
 * where rows are in no order (the design effect of Kish 1965). Mean over the scores.
 */
function designEffect(columns: Columns): number {
  const effects = columns.map(column => {
    const threshold = Float64Array.from(column).sort()[Math.floor(0.9 * column.length)]!;
    const beyond = column.map(value => (value >= threshold ? 1 : 0));
    const share = mean(beyond);
    const blocks = Array.from({ length: column.length / BLOCK }, (_, i) =>
      mean(beyond.subarray(i * BLOCK, (i + 1) * BLOCK)),
    );
    const variance = blocks.reduce((sum, value) => sum + (value - share) ** 2, 0) / (blocks.length - 1);
    return (variance * BLOCK) / (share * (1 - share));
  });
  return mean(effects);
}

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

/** Sum of the grey values of a picture: mean over the rows, and its standard error. */
async function ink(data: string, first: number, count: number): Promise<{ mean: number; error: number }> {
  const { test } = await openDataset(data);
  const { data: pixels } = await test.read(Array.from({ length: count }, (_, i) => first + i));
  const size = pixels.length / count;
  const sums = Array.from({ length: count }, (_, i) => size * mean(pixels.subarray(i * size, (i + 1) * size)));
  const average = mean(sums);
  const variance = sums.reduce((sum, value) => sum + (value - average) ** 2, 0) / (count - 1);
  return { mean: average, error: Math.sqrt(variance / count) };
}

it('finds the halves of the MNIST test set unlike, and those of Fashion-MNIST alike; random halves keep to the bar', async () => {
  const metrics: Record<string, number> = {};
  for (const [bundle, data] of [
    ['mnist-vae', 'mnist'],
    ['fashion-vae', 'fashion-mnist'],
  ] as const) {
    const calibration = await scoresOf(bundle, data, 'calibration');
    const test = await scoresOf(bundle, data, 'test');
    const half = (first: number) => test.map(column => column.subarray(first, first + 5000));
    const [before, after] = [await ink(data, 0, 5000), await ink(data, 5000, 5000)];
    const figures = {
      'ink.first_half': before.mean,
      'ink.second_half': after.mean,
      'ink.difference_in_standard_errors': Math.abs(after.mean - before.mean) / Math.hypot(before.error, after.error),
      ...named('calibration_against_test', permutationTest(calibration, test)),
      ...named('first_half_against_second', permutationTest(half(0), half(5000))),
      'design_effect.first_half': designEffect(half(0)),
      'design_effect.second_half': designEffect(half(5000)),
    };
    Object.assign(metrics, named(data, figures));
  }
  record('exchangeability', 'npm run test:slow exchangeability', metrics, { permutations: PERMUTATIONS, block: BLOCK });
  expect(metrics['mnist.first_half_against_second.p']).toBeLessThan(0.01);
  expect(metrics['fashion-mnist.first_half_against_second.p']).toBeGreaterThan(0.01);
  for (const data of ['mnist', 'fashion-mnist']) {
    expect(metrics[`${data}.first_half_against_second.random_median`]).toBeLessThan(3);
    expect(metrics[`${data}.first_half_against_second.random_beyond_3`]).toBeLessThan(0.15);
  }
});

function named(prefix: string, figures: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(figures).map(([name, value]) => [`${prefix}.${name}`, value]));
}
