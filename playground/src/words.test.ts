import { expect, it } from 'vitest';
import { bytes, figure, largeNumber, milliseconds, rarerThan, verdict } from './words.js';

const score = (pValue: number | undefined, decision: 'normal' | 'anomalous' | 'unsure') => ({
  name: 'nll',
  value: 90,
  unit: 'nats',
  decision,
  recommended: true,
  ...(pValue !== undefined && { pValue }),
});

it('cuts shares off and never rounds them up to everything', () => {
  expect([1, 0.5, 0.03, 0.006, 0.0006, 1 / 10_001].map(rarerThan)).toEqual([
    '0 %',
    '50 %',
    '97 %',
    '99.4 %',
    '99.94 %',
    '99.99 %',
  ]);
});

it('says what the decision is and what it rests on', () => {
  expect(verdict(score(0.03, 'anomalous'), 'digits')).toBe('Anomalous: rarer than 97 % of normal digits.');
  expect(verdict(score(0.9, 'normal'), 'digits')).toBe('Normal: rarer than only 10 % of normal digits.');
  expect(verdict(score(0.2, 'normal'), 'digits')).toBe('Normal: rarer than 80 % of normal digits.');
  expect(verdict(score(0.05, 'unsure'), 'digits')).toMatch(/^Rarer than 95 % .*too close to call/);
  expect(verdict(score(undefined, 'unsure'), 'digits')).toMatch(/not calibrated/);
});

it('writes times, sizes and counts with as many digits as they are worth', () => {
  expect([0.42, 9.96, 41.6, 1234].map(milliseconds)).toEqual(['0.4 ms', '10.0 ms', '42 ms', '1.23 s']);
  expect([300, 12_400, 2_449_000, 25_500_000].map(bytes)).toEqual(['1 kB', '12 kB', '2.4 MB', '26 MB']);
  expect([784, 613_665, 2_400_000].map(largeNumber)).toEqual(['784', '614 k', '2.4 M']);
});

it('gives scores as many places as they need, shares of one and hundreds of bits alike', () => {
  expect([0.36077, -73.296, 104.25, 0].map(figure)).toEqual(['0.361', '-73.3', '104.3', '0.00']);
});
