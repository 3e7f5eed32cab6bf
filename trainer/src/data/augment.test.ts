import { describe, expect, it } from 'vitest';
import { augment } from './augment.js';
import { batches } from './batches.js';
import { imageDomain } from './image-domain.js';
import { dataOptions } from './options.js';
import { byteStore, paired } from './store.js';

const size = { height: 4, width: 5, channels: 1 };
const domain = imageDomain({ ...size, labels: [], binarisation: 'none' });
const pixels = size.height * size.width;
/** Rows that differ in every pixel. */
const row = Float32Array.from({ length: pixels }, (_, i) => (10 * i) / 255);
const rows = (count: number) => Float32Array.from({ length: count * pixels }, (_, i) => row[i % pixels]!);
const none = { flip: false, crop: 0, jitter: 0 };
const key = { seed: 3, step: 7 };

/** A row shifted and mirrored by the definition. */
function byHand(down: number, right: number, mirrored: boolean): number[] {
  const at = (y: number, x: number) => {
    const clamped = Math.min(size.width - 1, Math.max(0, x - right));
    return row[
      Math.min(size.height - 1, Math.max(0, y - down)) * size.width + (mirrored ? size.width - 1 - clamped : clamped)
    ]!;
  };
  return Array.from({ length: pixels }, (_, i) => at(Math.floor(i / size.width), i % size.width));
}

describe('augmentation', () => {
  it('mirrors about half of the rows, and leaves the others', () => {
    const { data } = augment({ data: rows(400) }, domain, { ...none, flip: true }, key);
    let mirrored = 0;
    for (let start = 0; start < data.length; start += pixels) {
      const found = [...data.slice(start, start + pixels)];
      if (found[0] === row[0]) expect(found).toEqual([...row]);
      else {
        expect(found).toEqual(byHand(0, 0, true));
        mirrored++;
      }
    }
    // Four standard deviations of 400 fair draws are 40.
    expect(Math.abs(mirrored - 200)).toBeLessThan(40);
  });

  it('shifts by up to so many pixels to each side, every shift about as often', () => {
    const { data } = augment({ data: rows(900) }, domain, { ...none, crop: 1 }, key);
    const shifts = [-1, 0, 1].flatMap(down => [-1, 0, 1].map(right => String(byHand(down, right, false))));
    const counts = new Map(shifts.map(shift => [shift, 0]));
    for (let start = 0; start < data.length; start += pixels) {
      const found = String([...data.slice(start, start + pixels)]);
      expect(counts.has(found)).toBe(true);
      counts.set(found, counts.get(found)! + 1);
    }
    for (const number of counts.values()) expect(Math.abs(number - 100)).toBeLessThan(40);
  });

  it('changes contrast and brightness within bounds, and keeps the 256 levels', () => {
    const { data } = augment({ data: rows(50) }, domain, { ...none, jitter: 0.2 }, key);
    expect(data).not.toEqual(rows(50));
    const mean = row.reduce((sum, value) => sum + value, 0) / pixels;
    data.forEach((value, i) => {
      expect(Math.abs(255 * value - Math.round(255 * value))).toBeLessThan(1e-4);
      const from = row[i % pixels]!;
      expect(Math.abs(value - from)).toBeLessThanOrEqual(0.2 * Math.abs(from - mean) + 0.2 + 1 / 255);
    });
  });

  it('moves a paired target with its image, and keeps the colours of the target', () => {
    const target = rows(20).map(value => 1 - value);
    const moved = augment({ data: rows(20), target }, domain, { flip: true, crop: 2, jitter: 0 }, key);
    moved.data.forEach((value, i) => {
      expect(moved.target![i]).toBeCloseTo(1 - value, 6);
    });
  });

  it('is of training batches, a function of seed and step', async () => {
    const store = byteStore(
      Uint8Array.from(rows(6), value => Math.round(255 * value)),
      pixels,
    );
    const augmentation = { flip: true, crop: 2, jitter: 0.1 };
    const at = async (step: number, seed: number) =>
      (await batches(paired(store, store), domain, { size: 4, seed, step, augmentation }).next()).value;
    expect(await at(5, 1)).toEqual(await at(5, 1));
    expect((await at(5, 1)).data).not.toEqual((await at(6, 1)).data);
    expect((await at(5, 1)).data).not.toEqual((await at(5, 2)).data);
    expect((await at(5, 1)).target).toHaveLength(4 * pixels);
  });

  it('is off where nothing is asked for', () => {
    const { flip, crop, jitter } = dataOptions.parse({});
    const given = { data: rows(2) };
    expect(augment(given, domain, { flip, crop, jitter }, key)).toBe(given);
  });
});
