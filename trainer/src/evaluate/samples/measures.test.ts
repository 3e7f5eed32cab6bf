import { fillNoise } from '@genserve/runtime';
import { describe, expect, it } from 'vitest';
import { absoluteDistance, squaredDistance } from '../distance.js';
import { classCoverage } from './class-coverage.js';
import { classSimilarities, diverseShare } from './class-diversity.js';
import { classifierScore } from './classifier-score.js';
import { frechetDistance, gaussianDistance } from './frechet-distance.js';
import { kernelDistance, unbiasedDiscrepancy } from './kernel-distance.js';
import { memorisation, NearestDistances } from './memorisation.js';
import { precisionRecall } from './precision-recall.js';
import { type RowSet, rowGroups } from './row-set.js';

const rowSet = (rows: readonly (readonly number[])[]): RowSet => ({
  count: rows.length,
  width: rows[0]!.length,
  data: Float32Array.from(rows.flat()),
});
const normals = (name: string, count: number, width: number, { scale = 1, shift = 0 } = {}): RowSet => {
  const noise = fillNoise({ seed: 1, name, distribution: 'normal', shape: [width], count });
  return { count, width, data: noise.map(value => scale * value + shift) };
};
const toRows = ({ count, width, data }: RowSet): number[][] =>
  Array.from({ length: count }, (_, row) => Array.from(data.subarray(row * width, (row + 1) * width)));

describe('the classifier score', () => {
  const sure = (label: number) => Array.from({ length: 10 }, (_, each) => (each === label ? 50 : 0));

  it('is 10 where ten classes come equally often and each is certain', () => {
    const { score, spread } = classifierScore(rowSet(Array.from({ length: 200 }, (_, row) => sure(row % 10))));
    expect(score).toBeCloseTo(10, 6);
    expect(spread).toBeCloseTo(0, 6);
  });

  it('is 1 where every row gets the same answer, sure or not', () => {
    expect(classifierScore(rowSet(Array.from({ length: 40 }, () => sure(3)))).score).toBeCloseTo(1, 9);
    expect(classifierScore(rowSet(Array.from({ length: 40 }, () => [1, 2, 0.5]))).score).toBeCloseTo(1, 9);
  });

  it('is the mean of its groups, each with its own marginal', () => {
    // Half of the groups hold one class, half hold two in equal parts: scores 1 and 2.
    const rows = Array.from({ length: 40 }, (_, row) => sure(row < 20 ? 0 : row % 2));
    const { score, spread } = classifierScore(rowSet(rows));
    expect(score).toBeCloseTo(1.5, 9);
    expect(spread).toBeCloseTo(0.5 * Math.sqrt(10 / 9), 9);
  });
});

describe('the Fréchet distance', () => {
  it('has its closed form where covariances commute: |m1 - m2|^2 + sum (s1 - s2)^2', () => {
    const a = { mean: [0, 0, 1], covariance: [[4, 0, 0], [0, 9, 0], [0, 0, 1]] }; // biome-ignore format: matrices
    const b = { mean: [1, 2, 1], covariance: [[1, 0, 0], [0, 16, 0], [0, 0, 0]] }; // biome-ignore format: matrices
    expect(gaussianDistance(a, b)).toBeCloseTo(5 + 1 + 1 + 1, 10);
    expect(gaussianDistance(b, a)).toBeCloseTo(8, 10);
    expect(gaussianDistance(a, a)).toBeCloseTo(0, 10);
  });

  it('has its closed form in two dimensions where they do not: Tr (AB)^(1/2) = sqrt(Tr AB + 2 sqrt(det AB))', () => {
    const [a, b] = [[2, 0.9, 0.9, 1] as const, [1, -0.4, -0.4, 3] as const];
    const trace = a[0] * b[0] + a[1] * b[2] + a[2] * b[1] + a[3] * b[3];
    const determinant = (a[0] * a[3] - a[1] * a[2]) * (b[0] * b[3] - b[1] * b[2]);
    const expected = a[0] + a[3] + b[0] + b[3] - 2 * Math.sqrt(trace + 2 * Math.sqrt(determinant));
    const gaussian = ([xx, xy, yx, yy]: readonly number[]) => ({
      mean: [0, 0],
      covariance: [
        [xx!, xy!],
        [yx!, yy!],
      ],
    });
    expect(gaussianDistance(gaussian(a), gaussian(b))).toBeCloseTo(expected, 10);
  });

  it('of rows drawn from Gaussians is near that of the Gaussians', () => {
    // Means apart by 1 and deviations 1 and 2 in each of four dimensions: 4 * (1 + 1).
    const found = frechetDistance(normals('a', 4000, 4), normals('b', 4000, 4, { scale: 2, shift: 1 }));
    expect(Math.abs(found - 8)).toBeLessThan(0.5);
    expect(frechetDistance(normals('a', 4000, 4), normals('c', 4000, 4))).toBeLessThan(0.02);
  });
});

describe('the kernel distance', () => {
  /** Every pair, as the definition has it. */
  function bruteForce(a: RowSet, b: RowSet): number {
    const [x, y] = [toRows(a), toRows(b)];
    const kernel = (p: number[], q: number[]) => (p.reduce((sum, v, i) => sum + v * q[i]!, 0) / p.length + 1) ** 3;
    const average = (rows: number[][], others: number[][], same: boolean) => {
      const values = rows.flatMap((p, i) => others.flatMap((q, j) => (same && i === j ? [] : [kernel(p, q)])));
      return values.reduce((sum, value) => sum + value, 0) / values.length;
    };
    return average(x, x, true) + average(y, y, true) - 2 * average(x, y, false);
  }

  it('of a group is the sum over all pairs', () => {
    const [a, b] = [normals('a', 30, 5), normals('b', 20, 5, { shift: 0.7 })];
    expect(unbiasedDiscrepancy(a, b)).toBeCloseTo(bruteForce(a, b), 9);
  });

  it('is the mean over ten groups', () => {
    const [a, b] = [normals('a', 205, 3), normals('b', 200, 3, { shift: 0.5 })];
    const expected = rowGroups(a, 10).map((group, i) => bruteForce(group, rowGroups(b, 10)[i]!));
    expect(kernelDistance(a, b).distance).toBeCloseTo(expected.reduce((sum, each) => sum + each, 0) / 10, 9);
  });

  it('of a group is the squared distance of mean monomials of degree 3 and less, the rows themselves left out', () => {
    // (x . y / n + 1)^3 is the inner product of all products of three among x / sqrt(n) and 1.
    const monomials = (row: number[]) => {
      const one = [...row.map(value => value / Math.sqrt(row.length)), 1];
      return one.flatMap(p => one.flatMap(q => one.map(r => p * q * r)));
    };
    const dot = (p: number[], q: number[]) => p.reduce((sum, value, i) => sum + value * q[i]!, 0);
    const total = (rows: number[][]) => rows.reduce((sum, row) => sum.map((value, i) => value + row[i]!));
    const [a, b] = [normals('a', 12, 4), normals('b', 9, 4, { shift: 0.4 })];
    const [x, y] = [a, b].map(set => toRows(set).map(monomials)) as [number[][], number[][]]; // of two
    const within = (rows: number[][]) => {
      const sum = total(rows);
      return (dot(sum, sum) - rows.reduce((own, row) => own + dot(row, row), 0)) / (rows.length * (rows.length - 1));
    };
    const expected = within(x) + within(y) - (2 * dot(total(x), total(y))) / (x.length * y.length);
    expect(unbiasedDiscrepancy(a, b)).toBeCloseTo(expected, 9);
  });

  it('is 0 on the average over many small sets of one lop-sided distribution: it has no bias', () => {
    const draw = (name: string) => {
      const set = normals(name, 12, 3);
      return { ...set, data: set.data.map(Math.abs) };
    };
    const values = Array.from({ length: 2000 }, (_, i) => unbiasedDiscrepancy(draw(`a${i}`), draw(`b${i}`)));
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
    const error = deviation / Math.sqrt(values.length);
    expect(Math.abs(mean)).toBeLessThan(3.5 * error);
    // A biased estimate, with the rows' own kernels, would be off by far more than that.
    const self = draw('self');
    const own = toRows(self).map(row => (row.reduce((sum, value) => sum + value ** 2, 0) / 3 + 1) ** 3);
    expect(own.reduce((sum, value) => sum + value, 0) / own.length / 12).toBeGreaterThan(10 * error);
  });

  it('is near 0 for equal distributions and far from it for shifted ones, in multiples of its standard error', () => {
    const errors = (a: RowSet, b: RowSet) => {
      const { distance, standardError } = kernelDistance(a, b);
      return distance / standardError;
    };
    expect(Math.abs(errors(normals('a', 1000, 4), normals('b', 1000, 4)))).toBeLessThan(3.5);
    expect(errors(normals('a', 1000, 4), normals('b', 1000, 4, { shift: 1 }))).toBeGreaterThan(10);
  });
});

describe('precision and recall', () => {
  // Two far clusters of five points on a line.
  const cluster = (centre: number) => [-2, -1, 0, 1, 2].map(offset => [centre + offset, 0]);
  const both = rowSet([...cluster(0), ...cluster(100)]);

  it('are 1 for the data themselves', () => {
    expect(precisionRecall(both, both)).toEqual({ precision: 1, recall: 1 });
  });

  it('see a lost cluster in recall alone, and a made-up one in precision alone', () => {
    expect(precisionRecall(rowSet([...cluster(0), ...cluster(0)]), both)).toEqual({ precision: 1, recall: 0.5 });
    const more = rowSet([...cluster(0), ...cluster(100), ...cluster(1000)]);
    expect(precisionRecall(more, both)).toEqual({ precision: 10 / 15, recall: 1 });
  });

  it('take balls that reach to the k-th neighbour, surface included', () => {
    // Of 0, 1, 3 with k = 1 the radii are 1, 1 and 2: 5 is on the surface of the last ball, 5.5 beyond it.
    const data = rowSet([[0], [1], [3]]);
    expect(precisionRecall(rowSet([[5], [5.5], [-1]]), data, 1).precision).toBeCloseTo(2 / 3, 12);
  });
});

describe('class coverage', () => {
  it('counts classes of at least half an equal share', () => {
    const classes = [...new Array(95).fill(0), ...new Array(5).fill(1)];
    const found = classCoverage(classes, 10);
    expect(found).toMatchObject({ covered: 2, smallestShare: 0 });
    expect(found.shares.slice(0, 3)).toEqual([0.95, 0.05, 0]);
    expect(classCoverage([...classes, ...new Array(20).fill(0)], 10).covered).toBe(1);
  });
});

describe('memorisation', () => {
  const train = normals('train', 400, 6);

  it('finds the nearest row, whatever the parts it is shown', () => {
    const queries = normals('queries', 7, 6);
    const found = [squaredDistance, absoluteDistance].map(distance => {
      const nearest = new NearestDistances(queries, distance);
      for (const part of rowGroups(train, 4)) nearest.see(part);
      return Array.from(nearest.distances);
    });
    const all = (norm: (difference: number) => number) =>
      toRows(queries).map(p => Math.min(...toRows(train).map(q => p.reduce((sum, v, i) => sum + norm(v - q[i]!), 0))));
    for (const [row, value] of all(v => v * v).entries()) expect(found[0]![row]).toBeCloseTo(value, 9);
    for (const [row, value] of all(Math.abs).entries()) expect(found[1]![row]).toBeCloseTo(value, 9);
  });

  it('is flagged for ten copies of training rows and a little noise, not for fresh rows', () => {
    const distances = (rows: RowSet) => {
      const nearest = new NearestDistances(rows, squaredDistance);
      nearest.see(train);
      return nearest.distances;
    };
    const test = distances(normals('test', 200, 6));
    const noise = normals('noise', 100, 6, { scale: 0.01 });
    const copies = { ...noise, data: noise.data.map((value, i) => train.data[i % 60]! + value) };
    expect(memorisation(distances(copies), test).memorised).toBe(true);
    expect(memorisation(distances(normals('fresh', 200, 6)), test).memorised).toBe(false);
  });

  it('compares the median of samples with the 5 % quantile of test rows', () => {
    const test = Array.from({ length: 101 }, (_, i) => i);
    expect(memorisation([9, 4, 4.9], test)).toEqual({ sampleMedian: 4.9, testQuantile: 5, memorised: true });
    expect(memorisation([4, 6], test)).toEqual({ sampleMedian: 5, testQuantile: 5, memorised: false });
  });
});

describe('the similarity within classes', () => {
  const shape = { height: 8, width: 8, channels: 1 };
  const options = { shape, classCount: 3, seed: 0 };
  const pictures = normals('pictures', 40, 64, { scale: 0.1, shift: 0.5 });

  it('is 1 for a class of one picture, lower for different ones, and absent for a class without two', () => {
    const images = { ...pictures, data: pictures.data.map((value, i) => (i < 640 ? pictures.data[i % 64]! : value)) };
    const found = classSimilarities(
      images,
      Array.from({ length: 40 }, (_, row) => (row < 10 ? 0 : row < 39 ? 1 : 2)),
      options,
    );
    expect(found[0]).toBeCloseTo(1, 6);
    expect(found[1]).toBeLessThan(0.5);
    expect(found[2]).toBeUndefined();
  });

  it('is summed up by the share of classes below the most alike class of real pictures', () => {
    expect(diverseShare([0.2, 0.31, undefined, 0.29], [0.1, 0.3, 0.2, undefined])).toBe(0.5);
  });
});
