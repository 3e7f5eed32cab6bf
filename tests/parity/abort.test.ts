// A client that gives up costs no more work: after an abort of the SDK the server's count of steps stands still.
import { connect } from '@genserve/sdk';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ServedModels, serve } from '../support/serve.js';

const model = 'mnist-pixelcnn';

let served: ServedModels;
beforeAll(async () => {
  served = await serve();
});
afterAll(() => served[Symbol.asyncDispose]());

/** Steps of the model that ended so far, whatever their outcome. */
async function steps(): Promise<number> {
  const text = await (await fetch(`${served.url}metrics`)).text();
  const lines = text.split('\n').filter(line => line.startsWith(`genserve_steps_total{model="${model}"`));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

const pause = (milliseconds: number) => new Promise(resolve => setTimeout(resolve, milliseconds));

it('stops the work of a long sample at the server', async () => {
  const generator = await connect(served.url, { model });
  const abort = new AbortController();
  const long = generator.sample({ count: 1000, seed: 7, signal: abort.signal });
  await expect.poll(steps, { timeout: 20_000 }).toBeGreaterThanOrEqual(2);
  abort.abort();
  await expect(long).rejects.toMatchObject({ reason: 'CANCELLED' });
  // A step that was under way may still end; its length is what the next pause must exceed.
  await pause(1500);
  const after = await steps();
  await pause(1500);
  expect(await steps()).toBe(after);
  const { data } = await generator.sample({ count: 2, seed: 7 });
  expect(data.shape[0]).toBe(2);
  await generator.close();
});
