import { expect, test } from 'vitest';
import { Companions } from './companions.js';

test('the first of the last batch to come back waits for the others, a bounded time', () => {
  const companions = new Companions(5);
  companions.ended('g', 8, 1000);
  expect(companions.verdict('g', 1, 50, 1001)).toEqual({ waitMs: 4, waited: 'delay' });
  expect(companions.verdict('g', 8, 50, 1001)).toEqual({ waitMs: 0, waited: 'companions' });
  expect(companions.verdict('g', 1, 50, 1006)).toEqual({ waitMs: 0, waited: 'delay' });
});

test('a group that ran alone, or not at all, never waits', () => {
  const companions = new Companions(5);
  companions.ended('g', 1, 1000);
  expect(companions.verdict('g', 1, 50, 1001)).toEqual({ waitMs: 0, waited: 'none' });
  expect(companions.verdict('other', 1, 50, 1001)).toEqual({ waitMs: 0, waited: 'none' });
});

test('where a run has no fixed cost, sharing it gains nothing', () => {
  const companions = new Companions(5);
  companions.ended('g', 8, 1000);
  expect(companions.verdict('g', 1, 0.5, 1000)).toEqual({ waitMs: 0, waited: 'none' });
});
