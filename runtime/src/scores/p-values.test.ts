import { describe, expect, it } from 'vitest';
import { elbo, iwae } from '../estimators.js';
import { NoiseStream } from '../noise.js';
import { benjaminiHochberg, decide, driftTest, pValue } from './p-values.js';

describe('estimators', () => {
  it('take the mean of log-weights, or the log of the mean weight', () => {
    const weights = Float64Array.of(0.2, 0.4, 0.9).map(Math.log);
    expect(elbo(weights).logProb).toBeCloseTo((Math.log(0.2) + Math.log(0.4) + Math.log(0.9)) / 3, 12);
    expect(iwae(weights).logProb).toBeCloseTo(Math.log(0.5), 12);
    // sd of (0.2, 0.4, 0.9) is 0.36056; over sqrt(3) and the mean 0.5.
    expect(iwae(weights).standardError).toBeCloseTo(0.36056 / Math.sqrt(3) / 0.5, 4);
  });

  it('stay finite where the weights underflow', () => {
    const { logProb } = iwae(Float64Array.of(-5000, -5001));
    expect(logProb).toBeCloseTo(-5000 + Math.log((1 + Math.exp(-1)) / 2), 9);
  });

  it('bear weights of 0', () => {
    expect(iwae(Float64Array.of(-Infinity, 0))).toEqual({ logProb: -Math.LN2, standardError: 1 });
    expect(iwae(Float64Array.of(-Infinity, -Infinity))).toEqual({ logProb: -Infinity, standardError: 0 });
    expect(elbo(Float64Array.of(-Infinity, 0))).toEqual({ logProb: -Infinity, standardError: 0 });
  });

  it('give one draw as it is', () => {
    for (const estimate of [elbo, iwae])
      expect(estimate(Float64Array.of(-90.25))).toEqual({ logProb: -90.25, standardError: 0 });
  });
});

describe('pValue', () => {
  const table = [1, 2, 2, 3];
  it.each([
    [0, 5 / 5],
    [1, 5 / 5],
    [1.5, 4 / 5],
    [2, 4 / 5],
    [2.5, 2 / 5],
    [3, 2 / 5],
    [4, 1 / 5],
    [Infinity, 1 / 5],
  ])('of %d is (1 + #{s_i >= s}) / (n + 1) = %d', (score, expected) => {
    expect(pValue(table, score)).toBe(expected);
    expect(pValue(table, score)).toBe((1 + table.filter(value => value >= score).length) / 5);
  });
});

describe('decide', () => {
  it.each([
    [0.05, 0.05, 19, 'anomalous'],
    [0.0501, 0.05, 99, 'normal'],
    [0.05, 0.05, 18, 'unsure'],
    [undefined, 0.05, 100, 'unsure'],
  ] as const)('p %d at alpha %d with %d calibration scores: %s', (p, alpha, size, decision) => {
    expect(decide(p, alpha, size)).toBe(decision);
  });
});

describe('benjaminiHochberg', () => {
  it('gives the worked example of the paper (section 3.2): four of fifteen at 0.05', () => {
    const p = [
      0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262, 0.5719, 0.6528, 0.759, 1,
    ];
    expect(benjaminiHochberg(p).filter(value => value <= 0.05)).toHaveLength(4);
  });

  it('is the least of m p / rank over the ranks from there on, whatever the order', () => {
    const p = [0.04, 0.01, 0.03, 0.2];
    const expected = p.map(own => {
      const larger = [...p].sort((a, b) => a - b).map((value, i) => (value >= own ? (4 * value) / (i + 1) : 1));
      return Math.min(...larger);
    });
    benjaminiHochberg(p).forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i]!, 12);
    });
  });
});

describe('driftTest', () => {
  const calibration = Float64Array.from({ length: 999 }, (_, i) => i);
  const test = (scores: readonly number[]) =>
    driftTest(
      scores.map(score => pValue(calibration, score)),
      calibration.length,
    );

  it('measures the distance of the two distribution functions, from p-values alone', () => {
    const scores = [100.5, 300.5, 310.5, 900.5];
    // Largest just after the third: 3/4 of the rows, 311 of 999 of the calibration.
    expect(test(scores).statistic).toBeCloseTo(3 / 4 - 311 / 999, 10);
  });

  it('calls evenly spread rows normal, and rows from one half, upper or lower, drifted', () => {
    const even = Array.from({ length: 50 }, (_, i) => 20 * i + 10.5);
    expect(test(even).pValue).toBeGreaterThan(0.99);
    expect(test(even.map(score => score / 2)).pValue).toBeLessThan(1e-5);
    expect(test(even.map(score => 500 + score / 2)).pValue).toBeLessThan(1e-5);
  });

  it('has the false alarm rate that it states', () => {
    const noise = new Float32Array(400 * 30);
    new NoiseStream(5, 'drift', 'uniform').fill(noise, 0);
    const pValues = Array.from({ length: 400 }, (_, batch) =>
      test(Array.from(noise.subarray(30 * batch, 30 * (batch + 1)), u => 999 * u)),
    );
    const alarms = pValues.filter(({ pValue: p }) => p <= 0.1).length / 400;
    expect(Math.abs(alarms - 0.1)).toBeLessThan(3 * Math.sqrt((0.1 * 0.9) / 400));
  });

  it('has the critical values of the published table: 1.358 at 0.05 for many rows', () => {
    const rows = Array.from({ length: 5000 }, (_, i) => i / 5000);
    const shift = 1.358 / Math.sqrt((5000 * 999_999) / (5000 + 999_999));
    const shifted = driftTest(
      rows.map(u => Math.max(1e-6, 1 - u - shift)),
      999_999,
    );
    expect(shifted.pValue).toBeCloseTo(0.05, 2);
  });
});
