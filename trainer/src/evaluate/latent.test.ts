import { describe, expect, test } from 'vitest';
import { type Codes, neighbourError } from './latent.js';

const codes = (units: number, rows: readonly (readonly [label: number, ...code: number[]])[]): Codes => ({
  units,
  codes: Float32Array.from(rows.flatMap(([, ...code]) => code)),
  labels: rows.map(([label]) => label),
});

describe('the error of a nearest-neighbour classifier', () => {
  const known = codes(2, [
    [0, 0, 0],
    [0, 0, 1],
    [0, 1, 0],
    [1, 5, 5],
    [1, 5, 6],
    [1, 6, 5],
    [-1, 5.4, 5.4],
  ]);

  test('counts those whose neighbours are mostly of another class, over those that have a label', () => {
    const tested = codes(2, [
      [0, 0.2, 0.2],
      [1, 5.4, 5.4],
      [1, 0.4, 0.4],
      [-1, 9, 9],
    ]);
    expect(neighbourError(tested, known, 3)).toBeCloseTo(1 / 3, 12);
  });

  test('takes the class of the nearest where votes are equal', () => {
    // Two neighbours, one of each class: the nearer is of class 0.
    const pair = codes(1, [
      [1, 4],
      [0, 1],
    ]);
    expect(neighbourError(codes(1, [[0, 2]]), pair, 2)).toBe(0);
    expect(neighbourError(codes(1, [[0, 3]]), pair, 2)).toBe(1);
  });
});
