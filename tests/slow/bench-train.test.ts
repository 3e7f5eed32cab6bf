// Training steps beside PyTorch's, on an otherwise idle machine.
import { expect, it } from 'vitest';
import { genserve } from '../support/command.js';
import { record } from '../support/results.js';

it('is 1.8 times as fast as PyTorch over the five steps', async () => {
  const arguments_ = ['bench', 'train', '--rounds', '2', '--steps', '20'];
  const { metrics, context } = await genserve(arguments_);
  record('bench-train', `genserve ${arguments_.join(' ')}`, metrics, context);
  expect(metrics['train.geomean_vs_pytorch']).toBeGreaterThanOrEqual(1.8);
});
