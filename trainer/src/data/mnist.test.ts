import { describe, expect, it } from 'vitest';
import { openDataset } from './open.js';

describe('mnist', () => {
  it('has all 70,000 digits, 5,000 of train held out for calibration', async () => {
    const { train, calibration, test, domain, frequencies, split } = await openDataset('mnist');
    expect([train.count, calibration.count, test.count]).toEqual([55_000, 5_000, 10_000]);
    expect(domain.image).toMatchObject({ height: 28, width: 28, channels: 1, levels: 256, binarisation: 'none' });
    expect(domain.image?.labels).toHaveLength(10);
    expect(frequencies.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
    expect(split).toBe('train 55,000, calibration 5,000 (of train, by seed 0), test 10,000');
  });

  it('reads known digits: the first test image is a 7 with the pixels that the file holds', async () => {
    const { test } = await openDataset('mnist');
    const { data, labels } = await test.read([0, 1, 2]);
    expect([...labels!]).toEqual([7, 2, 1]);
    expect(data).toHaveLength(3 * 784);
    expect(data[7 * 28 + 6]).toBe(Math.fround(84 / 255));
    expect(data[0]).toBe(0);
  });

  it('cuts disjoint parts that depend on the seed of the cut alone', async () => {
    const [first, again, other] = await Promise.all([
      openDataset('mnist'),
      openDataset('mnist'),
      openDataset('mnist', { seed: 1 }),
    ]);
    const rows = async (dataset: typeof first) => (await dataset.calibration.read([0, 1, 2, 3])).data;
    expect(await rows(first)).toEqual(await rows(again));
    expect(await rows(first)).not.toEqual(await rows(other));
    expect(first.sha256).toBe(other.sha256);
    expect(first.sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  it('states the binarisation that was asked for in its domain', async () => {
    const { domain } = await openDataset('mnist', { binarisation: 'dynamic' });
    expect(domain.image).toMatchObject({ levels: 2, binarisation: 'dynamic' });
  });

  it('refuses what it does not know and names what there is', async () => {
    await expect(openDataset('mnits')).rejects.toMatchObject({ reason: 'INVALID_ARGUMENT', field: 'data' });
    await expect(openDataset('mnits')).rejects.toThrow('mnist');
    // An option that is not in the schema.
    const wrong: object = { sized: 3 };
    await expect(openDataset('mnist', wrong)).rejects.toMatchObject({ reason: 'INVALID_ARGUMENT' });
  });
});
