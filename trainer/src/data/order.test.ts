import { describe, expect, it } from 'vitest';
import { permutation } from './order.js';

describe('permutation', () => {
  it('holds every number once', () => {
    expect([...permutation(1000, 7, 'order')].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
  });
  it('is the same for one key and another for each part of the key', () => {
    const key = [100, 7, 'order', 2] as const;
    expect(permutation(...key)).toEqual(permutation(...key));
    expect(permutation(100, 8, 'order', 2)).not.toEqual(permutation(...key));
    expect(permutation(100, 7 + 2 ** 40, 'order', 2)).not.toEqual(permutation(...key));
    expect(permutation(100, 7, 'split', 2)).not.toEqual(permutation(...key));
    expect(permutation(100, 7, 'order', 3)).not.toEqual(permutation(...key));
  });
  it('puts each value in each place equally often', () => {
    const counts = Array.from({ length: 4 }, () => [0, 0, 0, 0]);
    for (let draw = 0; draw < 4000; draw++) {
      for (const [place, value] of permutation(4, 1, 'order', draw).entries()) counts[place]![value]! += 1;
    }
    // Chi-squared with 9 degrees of freedom stays below 27.9 with probability 0.999.
    const chi = counts.flat().reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0);
    expect(chi).toBeLessThan(27.9);
  });
});
