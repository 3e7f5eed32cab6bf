// The shipped auto-encoder's figure, computed again from the bundle alone.
import { expect, it } from 'vitest';
import { genserve } from '../support/command.js';
import { record } from '../support/results.js';

const evaluate = ['evaluate', 'models/mnist-vae', '--data', 'mnist', '--metric', 'nll', '--limit', '1000'];

it('mnist-vae reaches less than 92 nats on the first 1,000 test digits', async () => {
  const arguments_ = [...evaluate, '--k', '100'];
  const { metrics, context } = await genserve(arguments_);
  record('mnist-vae', `genserve ${arguments_.join(' ')}`, metrics, context);
  expect(metrics.nll_nats).toBeLessThan(92);
});

it('and at k = 500, the bound that the recipe is judged by, at most 91', async () => {
  const arguments_ = [...evaluate, '--k', '500'];
  const { metrics, context } = await genserve(arguments_);
  record('mnist-vae-k500', `genserve ${arguments_.join(' ')}`, metrics, context);
  expect(metrics.nll_nats).toBeLessThanOrEqual(91);
});
