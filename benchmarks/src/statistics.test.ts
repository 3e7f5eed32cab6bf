import { expect, it } from 'vitest';
import { geometricMean, median, quantile } from './statistics.js';

it('takes the middle, whatever the order, and the mean of two middles', () => {
  expect(median([30, 1, 2])).toBe(2);
  expect(median([10, 1, 3, 2])).toBe(2.5);
  expect(() => median([])).toThrow();
});

it('averages ratios so that a gain and an equal loss cancel', () => {
  expect(geometricMean([2, 0.5])).toBeCloseTo(1, 12);
  expect(geometricMean([1, 8])).toBeCloseTo(Math.sqrt(8), 12);
});

it('gives the smallest value that a share of all do not exceed', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  expect(quantile(hundred, 0.99)).toBe(99);
  expect(quantile(hundred, 1)).toBe(100);
  expect(quantile([5], 0.5)).toBe(5);
});
