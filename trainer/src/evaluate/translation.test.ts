import { type BundleGenerator, float32, type Tensor } from '@genserve/runtime';
import { describe, expect, it } from 'vitest';
import type { Split } from '../data/dataset.js';
import { imageDomain } from '../testing/flows.js';
import { evaluateTranslation, translationSheet } from './translation.js';

const [side, count] = [8, 6];
const size = side ** 2;
/** Row r is grey of level r / 10; what it should become is twice as light. */
const split: Split = {
  count,
  async read(indices) {
    const rows = (factor: number) =>
      Float32Array.from({ length: indices.length * size }, (_, i) => (factor * indices[Math.floor(i / size)]!) / 10);
    return { data: rows(1), target: rows(2) };
  },
};

/** A bundle whose `translate` is `map`; the rest of a generator is not asked for. */
const bundle = (map: (data: Tensor) => Tensor) =>
  ({
    manifest: { domain: imageDomain(side, side, 256), operations: [{ name: 'translate', members: [] }] },
    translate: async (data: Tensor) => ({ data: map(data) }),
  }) as unknown as BundleGenerator;

const scaled = (factor: number) => (data: Tensor) =>
  float32(
    data.shape,
    data.data.map(value => factor * value),
  );
const mean = (value: (row: number) => number) =>
  Array.from({ length: count }, (_, row) => value(row)).reduce((a, b) => a + b) / count;

describe('the figures of translations', () => {
  it('are those of grey pictures by hand, for a translation and for leaving pictures as they are', async () => {
    const { rows, metrics } = await evaluateTranslation(bundle(scaled(1.5)), split);
    expect(rows).toBe(count);
    expect(metrics.l1).toBeCloseTo(
      mean(row => 0.05 * row),
      6,
    );
    expect(metrics.identity_l1).toBeCloseTo(
      mean(row => 0.1 * row),
      6,
    );
    // Without contrast, similarity is that of luminance alone.
    const similarity = (a: number, b: number) => (2 * a * b + 1e-4) / (a * a + b * b + 1e-4);
    expect(metrics.ssim).toBeCloseTo(
      mean(row => similarity(0.15 * row, 0.2 * row)),
      5,
    );
    expect(metrics.identity_ssim).toBeCloseTo(
      mean(row => similarity(0.1 * row, 0.2 * row)),
      5,
    );
  });

  it('are perfect for the truth, and of the first rows where there is a limit', async () => {
    const { rows, metrics } = await evaluateTranslation(bundle(scaled(2)), split, { limit: 2 });
    expect(rows).toBe(2);
    expect(metrics).toMatchObject({ l1: 0, l1_standard_error: 0 });
    expect(metrics.ssim).toBeCloseTo(1, 6);
  });

  it('need pairs, and targets of the shape that comes out', async () => {
    const single: Split = { ...split, read: async indices => ({ data: (await split.read(indices)).data }) };
    await expect(evaluateTranslation(bundle(scaled(1)), single)).rejects.toMatchObject({ field: 'data' });
    const halved = (data: Tensor) => float32([data.shape[0]!, 4, 8, 1], data.data.slice(0, data.data.length / 2));
    await expect(evaluateTranslation(bundle(halved), split)).rejects.toThrow(/shape \[4,8,1\]/);
  });
});

describe('a sheet of translations', () => {
  it('has lines of inputs, of outputs and of truths, and begins again where rows end', async () => {
    const sheet = await translationSheet(bundle(scaled(1.5)), split, { lines: 2, columns: 4 });
    expect(sheet.shape).toEqual([24, side, side, 1]);
    const levels = Array.from({ length: 24 }, (_, row) => Math.round(100 * sheet.data[row * size]!));
    expect(levels.slice(0, 12)).toEqual([0, 10, 20, 30, 0, 15, 30, 45, 0, 20, 40, 60]);
    expect(levels.slice(12, 16)).toEqual([40, 50, 0, 10]);
  });
});
