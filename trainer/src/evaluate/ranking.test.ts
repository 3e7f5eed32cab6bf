import { NoiseStream } from '@genserve/runtime';
import { describe, expect, it } from 'vitest';
import { auprFloor, rank } from './ranking.js';

function drawn(count: number, name: string, levels: number): Float32Array {
  const values = new Float32Array(count);
  new NoiseStream(1, name, 'uniform').fill(values, 0);
  return values.map(value => Math.floor(value * levels));
}

describe('rank', () => {
  it('has the area of all pairs, ties counting half', () => {
    const [normal, anomalous] = [drawn(60, 'normal', 8), drawn(40, 'anomalous', 12)];
    let pairs = 0;
    for (const low of normal) for (const high of anomalous) pairs += high > low ? 1 : high === low ? 0.5 : 0;
    expect(rank(normal, anomalous).auroc).toBeCloseTo(pairs / 2400, 12);
  });

  it('has the average precision of the definition: sum of precision times the step in recall', () => {
    const [normal, anomalous] = [
      [1, 3, 5],
      [2, 4, 6, 7],
    ];
    // Ranked 7+ 6+ 5- 4+ 3- 2+ 1-.
    expect(rank(normal, anomalous).aupr).toBeCloseTo((1 + 1 + 3 / 4 + 4 / 6) / 4, 12);
  });

  it('does not depend on the order in which equal scores come', () => {
    expect(rank([1, 1, 1], [1])).toMatchObject({ auroc: 0.5, aupr: 0.25, fpr80: 1, fpr95: 1 });
  });

  it('reads false positives at the first threshold that finds enough', () => {
    const anomalous = Array.from({ length: 20 }, (_, i) => 10 + i);
    // 16 of 20 lie at 14 or more, 19 of 20 at 11 or more.
    expect(rank([14.5, 13.5, 11.5, 3], anomalous)).toMatchObject({ fpr80: 0.25, fpr95: 0.75 });
  });

  it('is 1 for a perfect ranking and on the floor for the reverse of it', () => {
    const [low, high] = [Array.from({ length: 900 }, (_, i) => i), Array.from({ length: 100 }, (_, i) => 1000 + i)];
    expect(rank(low, high)).toMatchObject({ auroc: 1, aupr: 1, fpr80: 0, fpr95: 0 });
    const reversed = rank(
      low.map(value => 2000 + value),
      high,
    );
    expect(reversed.auroc).toBe(0);
    expect(reversed.aupr).toBeCloseTo(auprFloor(100, 900), 2);
    expect(reversed.auprFloor).toBe(auprFloor(100, 900));
  });

  it('states the floor of the thesis for digit 1 of MNIST: 5.90', () => {
    expect(100 * auprFloor(1135, 8865)).toBeCloseTo(5.9, 1);
  });
});
