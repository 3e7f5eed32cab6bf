// A sample is the same, bit for bit, whatever it was batched with; and no caller gets another's rows.
import { generator } from '@genserve/proto/wire';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { collect, type Serving, serve } from '../fixtures/serving.js';

let serving: Serving;
beforeAll(async () => {
  serving = await serve();
});
afterAll(() => serving.close());

interface Ask {
  readonly model: string;
  readonly count: number;
  readonly seed: number;
  readonly firstIndex: number;
  readonly temperature?: number;
}

async function draw(ask: Ask, { client } = serving): Promise<Buffer> {
  const parts = await collect(client.sample(generator.SampleRequest.fromPartial(ask)));
  return Buffer.concat(parts.map(part => part.samples?.data ?? Buffer.alloc(0)));
}

async function score(seed: number, rows: number): Promise<number[]> {
  const values = Array.from({ length: rows * 256 }, (_, i) => ((i * 7 + seed * 13) % 5 < 2 ? 1 : 0));
  const response = await serving.post('/v1/models/tiny:likelihood', {
    inputs: { tensor: { dtype: 'float32', shape: [rows, 16, 16, 1], values } },
    draws: 3,
    seed,
  });
  const { likelihoods } = (await response.json()) as { likelihoods: { logProb: number }[] };
  return likelihoods.map(({ logProb }) => logProb);
}

test('200 concurrent requests of mixed models, sizes, seeds and temperatures equal the same ones alone', async () => {
  const asks = Array.from(
    { length: 200 },
    (_, i): Ask => ({
      model: i % 3 === 0 ? 'tiny-rows' : 'tiny',
      count: 1 + (i % 5),
      seed: i % 17,
      firstIndex: i % 4,
      ...(i % 2 === 0 && i % 3 !== 0 && { temperature: 0.5 + (i % 7) / 7 }),
    }),
  );
  const alone: Buffer[] = [];
  for (const ask of asks) alone.push(await draw(ask));
  const together = await Promise.all(asks.map(ask => draw(ask)));
  together.forEach((bytes, i) => {
    expect(bytes.equals(alone[i] ?? Buffer.alloc(0)), `request ${i}: ${JSON.stringify(asks[i])}`).toBe(true);
  });
});

test('likelihoods do not depend on their company (to 1e-6: Softplus may differ in the last place)', async () => {
  const asks = Array.from({ length: 40 }, (_, i) => ({ seed: i, rows: 1 + (i % 3) }));
  const alone: number[][] = [];
  for (const { seed, rows } of asks) alone.push(await score(seed, rows));
  const together = await Promise.all(asks.map(({ seed, rows }) => score(seed, rows)));
  together.forEach((values, i) => {
    expect(values).toHaveLength(asks[i]?.rows ?? 0);
    values.forEach((value, row) => {
      const expected = alone[i]?.[row] ?? Number.NaN;
      expect(Math.abs(value - expected)).toBeLessThanOrEqual(1e-6 * Math.abs(expected));
    });
  });
});

test('a part of a large request is what the whole has at that place, over both transports', async () => {
  const whole = await draw({ model: 'tiny', count: 600, seed: 3, firstIndex: 0 });
  const row = whole.length / 600;
  expect(
    (await draw({ model: 'tiny', count: 2, seed: 3, firstIndex: 417 })).equals(whole.subarray(417 * row, 419 * row)),
  ).toBe(true);
  const response = await serving.post('/v1/models/tiny:sample', { count: 600, seed: 3 });
  const { samples } = generator.SampleResponse.fromJSON(await response.json());
  expect(samples?.shape).toEqual([600, 16, 16, 1]);
  expect(samples?.data.equals(whole)).toBe(true);
});

test('a picture drawn in slices, between those of others, is the picture drawn at once', async () => {
  const asks = Array.from({ length: 12 }, (_, i) => ({ model: 'tiny-rows', count: 2, seed: i, firstIndex: 0 }));
  const whole = await Promise.all(asks.map(ask => draw(ask)));
  // No run fits into such a step: every picture is cut into its rows.
  const slicing = await serve({ batching: { stepMs: 1e-3 } });
  const sliced = await Promise.all(asks.map(ask => draw(ask, slicing)));
  await slicing.close();
  sliced.forEach((bytes, i) => {
    expect(bytes.equals(whole[i] ?? Buffer.alloc(0)), `seed ${i}`).toBe(true);
  });
});
