import { expect, test } from 'vitest';
import { Companions } from './companions.js';

test('the first of the last batch to come back waits for the others, a bounded time', () => {
  const companions = new Companions(5);
  companions.ended('g', 8, 1000);
  expect(companions.waitMs('g', 1, 50, 1001)).toBe(4);
  expect(companions.waitMs('g', 8, 50, 1001)).toBe(0);
  expect(companions.waitMs('g', 1, 50, 1006)).toBe(0);
});

test('a group that ran alone, or not at all, never waits', () => {
  const companions = new Companions(5);
  companions.ended('g', 1, 1000);
  expect(companions.waitMs('g', 1, 50, 1001)).toBe(0);
  expect(companions.waitMs('other', 1, 50, 1001)).toBe(0);
});

test('where a run has no fixed cost, sharing it gains nothing', () => {
  const companions = new Companions(5);
  companions.ended('g', 8, 1000);
  expect(companions.waitMs('g', 1, 0.5, 1000)).toBe(0);
});
