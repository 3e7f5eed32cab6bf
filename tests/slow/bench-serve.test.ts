// The server beside raw onnxruntime, the bare transport and an express handler, on an otherwise idle machine.
import { expect, it } from 'vitest';
import { genserve } from '../support/command.js';
import { record } from '../support/results.js';

const command = ['bench', 'serve', '--rounds', '3', '--seconds', '4'];
/** Against the express handler, by model: runs of more rows gain nothing for the first two. */
const singles = { 'mnist-vae': 0.9, 'mnist-dcgan': 0.9, 'mnist-pixelcnn': 6 };
const all: Record<string, number> = {};
const contexts: Record<string, object> = {};

for (const [model, bar] of Object.entries(singles)) {
  it(`leaves at least 90 % of the machine to ${model}`, async () => {
    const { metrics, context } = await genserve([...command, '--model', model]);
    Object.assign(all, metrics);
    contexts[model] = context;
    // After each model, so that one that fails does not cost the others.
    record('bench-serve', `genserve ${command.join(' ')}`, all, contexts);
    expect.soft(metrics[`serve.${model}.fraction_of_raw`]).toBeGreaterThanOrEqual(0.9);
    expect.soft(metrics[`serve.${model}.single_vs_express`]).toBeGreaterThanOrEqual(bar);
  });
}

it('keeps its goodput under three times the load that it can take', async () => {
  const overload = [
    'bench',
    'serve',
    '--model',
    'mnist-pixelcnn',
    '--rounds',
    '1',
    '--seconds',
    '1',
    '--overload',
    '60',
  ];
  const { metrics, context } = await genserve(overload);
  record('bench-serve-overload', `genserve ${overload.join(' ')}`, metrics, context);
  const figure = (name: string) => metrics[`serve.mnist-pixelcnn.overload.${name}`];
  expect.soft(figure('goodput_fraction')).toBeGreaterThanOrEqual(0.9);
  expect.soft(figure('accepted_vs_limit')).toBeLessThanOrEqual(1.1);
  expect.soft(figure('refused_ms.p99')).toBeLessThanOrEqual(10);
  expect.soft(figure('refused_with_retry_after')).toBe(1);
  expect.soft(figure('recovery_s')).toBeLessThanOrEqual(2);
});
