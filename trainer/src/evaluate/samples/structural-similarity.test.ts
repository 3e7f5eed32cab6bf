import { fillNoise } from '@genserve/runtime';
import { describe, expect, it } from 'vitest';
import { multiScaleSimilarity, type Picture } from './structural-similarity.js';

const picture = (name: string, side: number, channels = 1): Picture => ({
  height: side,
  width: side,
  channels,
  data: fillNoise({ seed: 1, name, distribution: 'uniform', shape: [side * side * channels] }),
});

/** Factors of Wang et al. 2003, eq. 2 to 4, from deviations about the window's means, place by place. */
function factors(a: number[][], b: number[][]): { luminance: number; rest: number }[] {
  const weight = (i: number) => Math.exp(-((i - 3) ** 2) / 4.5);
  const found = [];
  for (let top = 0; top <= a.length - 7; top++)
    for (let left = 0; left <= a.length - 7; left++) {
      const places = Array.from({ length: 49 }, (_, at) => ({ i: Math.floor(at / 7), j: at % 7 }));
      const total = places.reduce((sum, { i, j }) => sum + weight(i) * weight(j), 0);
      const average = (value: (p: number, q: number) => number) =>
        places.reduce(
          (sum, { i, j }) => sum + weight(i) * weight(j) * value(a[top + i]![left + j]!, b[top + i]![left + j]!),
          0,
        ) / total;
      const [mp, mq] = [average(p => p), average((_, q) => q)];
      const [sp, sq] = [Math.sqrt(average(p => (p - mp) ** 2)), Math.sqrt(average((_, q) => (q - mq) ** 2))];
      const joint = average((p, q) => (p - mp) * (q - mq));
      const contrast = (2 * sp * sq + 9e-4) / (sp ** 2 + sq ** 2 + 9e-4);
      const structure = (joint + 4.5e-4) / (sp * sq + 4.5e-4);
      const luminance = (2 * mp * mq + 1e-4) / (mp ** 2 + mq ** 2 + 1e-4);
      found.push({ luminance, rest: contrast * structure });
    }
  return found;
}

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const toGrid = ({ width, data }: Picture) =>
  Array.from({ length: data.length / width }, (_, row) => Array.from(data.subarray(row * width, (row + 1) * width)));
const half = (grid: number[][]) =>
  Array.from({ length: Math.floor(grid.length / 2) }, (_, i) =>
    Array.from({ length: Math.floor(grid.length / 2) }, (_, j) =>
      mean([grid[2 * i]![2 * j]!, grid[2 * i + 1]![2 * j]!, grid[2 * i]![2 * j + 1]!, grid[2 * i + 1]![2 * j + 1]!]),
    ),
  );

describe('the multi-scale structural similarity', () => {
  const a = picture('a', 17);
  const blend = { ...a, data: a.data.map((value, i) => 0.7 * value + 0.3 * picture('b', 17).data[i]!) };

  it('is 1 for equal pictures, whatever their size and channels', () => {
    for (const each of [picture('a', 9), a, picture('a', 28, 3)])
      expect(multiScaleSimilarity(each, each)).toBeCloseTo(1, 6);
  });

  it('is what its definition gives, at one scale below 14 pixels and at two from there on', () => {
    const [small, other] = [picture('a', 9), picture('c', 9)];
    const mixed = { ...small, data: small.data.map((value, i) => 0.5 * value + 0.5 * other.data[i]!) };
    const one = mean(factors(toGrid(small), toGrid(mixed)).map(({ luminance, rest }) => luminance * rest));
    expect(multiScaleSimilarity(small, mixed)).toBeCloseTo(one, 5);

    const first = mean(factors(toGrid(a), toGrid(blend)).map(({ rest }) => rest));
    const second = factors(half(toGrid(a)), half(toGrid(blend))).map(({ luminance, rest }) => luminance * rest);
    const [p, q] = [0.0448 / 0.3304, 0.2856 / 0.3304];
    expect(multiScaleSimilarity(a, blend)).toBeCloseTo(first ** p * mean(second) ** q, 5);
  });

  it('is symmetric, averaged over channels, and 0 for opposite pictures', () => {
    expect(multiScaleSimilarity(a, blend)).toBeCloseTo(multiScaleSimilarity(blend, a), 12);
    const opposite = { ...a, data: a.data.map(value => 1 - value) };
    expect(multiScaleSimilarity(a, opposite)).toBe(0);
    const pair = (x: Picture, y: Picture): Picture => ({
      ...x,
      channels: 2,
      data: Float32Array.from({ length: 2 * x.data.length }, (_, i) => (i % 2 ? y : x).data[Math.floor(i / 2)]!),
    });
    expect(multiScaleSimilarity(pair(a, a), pair(a, opposite))).toBeCloseTo(0.5, 6);
  });
});
