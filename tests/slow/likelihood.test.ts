// The figures of the shipped models with a likelihood, computed again from the bundles alone.
import { expect, it } from 'vitest';
import { genserve } from '../support/command.js';
import { record } from '../support/results.js';

/** Where a pass costs more than 30 million multiply-accumulates, IWAE with k = 100 on 1,000 images; flows with one draw of dequantisation. */
const models = [
  { name: 'mnist-pixelcnn', options: [], metric: 'nll_nats', bar: 84.5 },
  { name: 'mnist-pixelvae', options: ['--limit', '1000', '--k', '100'], metric: 'nll_nats', bar: 85 },
  { name: 'mnist-glow', options: ['--k', '1'], metric: 'bits_per_dim', bar: 1.45 },
  { name: 'mnist-maf', options: ['--k', '1'], metric: 'bits_per_dim', bar: 1.95 },
];

it.each(models)('$name: $metric at most $bar', async ({ name, options, metric, bar }) => {
  const command = ['evaluate', `models/${name}`, '--data', 'mnist', ...options];
  const { metrics, context } = await genserve(command);
  record(name, `genserve ${command.join(' ')}`, metrics, context);
  expect(metrics[metric]).toBeLessThanOrEqual(bar);
});
