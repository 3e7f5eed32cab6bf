// The SDK in a browser beside onnxruntime-web called by hand, on an otherwise idle machine.
import { expect, it } from 'vitest';
import { genserve } from '../support/command.js';
import { record } from '../support/results.js';

it('has a picture in 2 s, in 0.7 s the second time, and goes on at 80 % of onnxruntime-web', async () => {
  const arguments_ = ['bench', 'sdk', '--rounds', '5', '--seconds', '3'];
  const { metrics, context } = await genserve(arguments_);
  record('bench-sdk', `genserve ${arguments_.join(' ')}`, metrics, context);
  expect(metrics['sdk.mnist-vae.first_picture_ms.cold']).toBeLessThan(2000);
  expect(metrics['sdk.mnist-vae.first_picture_ms.warm']).toBeLessThan(700);
  expect(metrics['sdk.mnist-vae.fraction_of_raw.64']).toBeGreaterThanOrEqual(0.8);
});
