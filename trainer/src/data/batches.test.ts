import type { Domain } from '@genserve/runtime';
import { describe, expect, it } from 'vitest';
import { batches, rowsInOrder } from './batches.js';
import { imageDomain } from './image-domain.js';
import { byteStore, floatStore } from './store.js';

/** Ten one-pixel rows whose value is their index. */
const split = byteStore(
  Uint8Array.from({ length: 10 }, (_, i) => i),
  1,
  Int32Array.from({ length: 10 }, (_, i) => i),
);
const grey: Domain = imageDomain({ height: 1, width: 1, channels: 1, labels: [], binarisation: 'none' });

async function take(count: number, step = 0, seed = 3, size = 4) {
  const taken = [];
  for await (const batch of batches(split, grey, { size, seed, step })) {
    taken.push(batch);
    if (taken.length === count) break;
  }
  return taken;
}

describe('batches', () => {
  it('shows every row once per epoch, filling batches across epochs', async () => {
    const labels = (await take(5)).flatMap(batch => [...batch.labels!]);
    const sorted = (part: number[]) => part.toSorted((a, b) => a - b);
    expect(sorted(labels.slice(0, 10))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(sorted(labels.slice(10))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(labels.slice(0, 10)).not.toEqual(labels.slice(10));
  });

  it('keeps labels with their rows', async () => {
    for (const { data, labels } of await take(3))
      expect([...data]).toEqual([...labels!].map(l => Math.fround(l / 255)));
  });

  it('goes on at any step with the very batches of an uninterrupted run', async () => {
    const whole = await take(9);
    expect(await take(4, 5)).toEqual(whole.slice(5));
    expect(whole[5]!.epoch).toBe(2);
    expect((await take(9, 0, 4)).map(b => b.labels)).not.toEqual(whole.map(b => b.labels));
  });

  it('holds whole epochs in a batch that is larger than the data', async () => {
    const [batch] = await take(1, 0, 3, 25);
    expect([...batch!.labels!].filter(label => label === 4).length).toBeGreaterThanOrEqual(2);
  });

  it('passes on a failure to read', async () => {
    const broken = { count: 10, read: () => Promise.reject(new Error('disk gone')) };
    await expect(batches(broken, grey, { size: 2, seed: 0 }).next()).rejects.toThrow('disk gone');
  });
});

describe('binarisation', () => {
  const domain = imageDomain({ height: 1, width: 10_000, channels: 1, labels: [], binarisation: 'dynamic' });
  const quarter = floatStore(new Float32Array(20_000).fill(0.25), 10_000);
  const mean = (data: Float32Array) => data.reduce((sum, value) => sum + value, 0) / data.length;

  it('draws each pixel with its grey value as probability', async () => {
    const { data } = await rowsInOrder(quarter, domain, { first: 0, count: 2, seed: 5 });
    expect(new Set(data)).toEqual(new Set([0, 1]));
    // Standard error of the mean of 20,000 draws: 0.003.
    expect(Math.abs(mean(data) - 0.25)).toBeLessThan(0.0124);
  });

  it('differs between steps and between seeds, and repeats for equal ones', async () => {
    const draw = async (step: number, seed: number) =>
      (await batches(quarter, domain, { size: 2, seed, step }).next()).value.data;
    expect(await draw(0, 1)).toEqual(await draw(0, 1));
    expect(await draw(0, 1)).not.toEqual(await draw(1, 1));
    expect(await draw(0, 1)).not.toEqual(await draw(0, 2));
  });

  it('gives a test row the same bits whatever it is read with', async () => {
    const both = await rowsInOrder(quarter, domain, { first: 0, count: 2, seed: 5 });
    const second = await rowsInOrder(quarter, domain, { first: 1, count: 5, seed: 5 });
    expect(second.data).toEqual(both.data.slice(10_000));
  });

  it('cuts at 0.5 for threshold', async () => {
    const store = floatStore(Float32Array.of(0, 0.49, 0.5, 1), 4);
    const hard = imageDomain({ height: 2, width: 2, channels: 1, labels: [], binarisation: 'threshold' });
    expect([...(await rowsInOrder(store, hard, { first: 0, count: 1, seed: 0 })).data]).toEqual([0, 0, 1, 1]);
  });
});
