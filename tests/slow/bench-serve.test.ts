// The server beside raw onnxruntime, the bare transport and an express handler, on an otherwise idle machine.
import { expect, it } from 'vitest';
import { genserve } from '../support/command.js';
import { record } from '../support/results.js';

it('leaves at least 90 % of the machine to the model', async () => {
  const arguments_ = ['bench', 'serve', '--rounds', '3', '--seconds', '5'];
  const { metrics, context } = await genserve(arguments_);
  record('bench-serve', `genserve ${arguments_.join(' ')}`, metrics, context);
  for (const [name, value] of Object.entries(metrics))
    if (name.endsWith('.fraction_of_raw')) expect(value, name).toBeGreaterThanOrEqual(0.9);
});

it('keeps its goodput under three times the load that it can take', async () => {
  const arguments_ = ['bench', 'serve', '--model', 'mnist-pixelcnn', '--rounds', '1', '--overload', '60'];
  const { metrics, context } = await genserve(arguments_);
  record('bench-serve-overload', `genserve ${arguments_.join(' ')}`, metrics, context);
  expect(metrics['serve.mnist-pixelcnn.overload.goodput_fraction']).toBeGreaterThanOrEqual(0.9);
});
