// Anomalies of another data set, by the score that each bundle recommends: the shipped one, and three seeds both ways.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { genserve } from '../support/command.js';
import { record } from '../support/results.js';

const CALIBRATION_ROWS = 5000;

it('fashion-vae tells digits from clothes, and calls as many clothes anomalous as alpha says', async () => {
  const arguments_ = [
    'evaluate',
    'models/fashion-vae',
    '--data',
    'fashion-mnist',
    '--anomaly',
    'mnist,constant,noise,emoji',
  ];
  const { metrics, context } = await genserve(arguments_);
  const excess = Object.entries(metrics)
    .filter(([name]) => name.startsWith('false_positives.'))
    .map(([name, rate]) => {
      const alpha = Number(/\d\.\d+$/.exec(name)![0]);
      return Math.abs(rate - alpha) / Math.sqrt(alpha * (1 - alpha) * (1 / CALIBRATION_ROWS + 1 / 10_000));
    });
  const false_positives_deviations = Math.max(...excess);
  record(
    'anomaly-fashion-vae',
    `genserve ${arguments_.join(' ')}`,
    { ...metrics, false_positives_deviations },
    context,
  );
  expect(metrics['anomaly.auroc']).toBeGreaterThanOrEqual(0.99);
  expect(excess).toHaveLength(30);
  expect(false_positives_deviations).toBeLessThanOrEqual(3);
});

describe.each([
  ['fashion-vae', 'fashion-mnist', 'mnist'],
  ['mnist-normal', 'mnist', 'fashion-mnist'],
])('%s', (recipe, normal, anomaly) => {
  it(`finds ${anomaly} among ${normal} with three seeds, trained without labels`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'genserve-anomaly-'));
    try {
      const metrics: Record<string, number> = {};
      for (const seed of [0, 1, 2]) {
        const name = `${recipe}-${seed}`;
        const places = ['--runs', join(folder, 'runs'), '--out', join(folder, 'models'), '--name', name];
        await genserve(['train', '--config', `recipes/${recipe}.yaml`, '--seed', String(seed), ...places]);
        const found = await genserve([
          'evaluate',
          join(folder, 'models', name),
          '--data',
          normal,
          '--anomaly',
          anomaly,
        ]);
        metrics[`seed${seed}.auroc`] = found.metrics['anomaly.auroc']!;
        for (const [key, value] of Object.entries(found.metrics))
          if (key.endsWith('.auroc')) metrics[`seed${seed}.${key}`] = value;
      }
      metrics.least_auroc = Math.min(...[0, 1, 2].map(seed => metrics[`seed${seed}.auroc`]!));
      const command = `genserve train --config recipes/${recipe}.yaml --seed 0|1|2, then evaluate --data ${normal} --anomaly ${anomaly}`;
      record(`anomaly-${recipe}-seeds`, command, metrics, { seeds: [0, 1, 2] });
      expect(metrics.least_auroc).toBeGreaterThanOrEqual(0.99);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
