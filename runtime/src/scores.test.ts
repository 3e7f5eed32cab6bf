import { describe, expect, it } from 'vitest';
import { elbo, iwae } from './estimators.js';
import { decide, pValue, SCORES } from './scores.js';

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

it('gives every formula a unit', () => {
  for (const { unit } of Object.values(SCORES)) expect(unit).not.toBe('');
});
