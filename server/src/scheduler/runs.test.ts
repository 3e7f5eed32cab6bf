import { expect, test } from 'vitest';
import { Runs } from './runs.js';

test('a run that waits at an executor has all of its time before it, however late the one before ends', () => {
  const runs = new Runs();
  const first = runs.add(100, 1, 0);
  runs.add(50, 1, 98);
  expect(runs.leftMs(98)).toBe(52);
  expect(runs.leftMs(140)).toBe(50);
  runs.ended(first, 150);
  expect(runs.leftMs(160)).toBe(40);
});

test('the next executor to be free is one that has no other run waiting', () => {
  const runs = new Runs();
  runs.add(100, 2, 0);
  runs.add(300, 2, 0);
  expect(runs.untilFreeMs(10)).toBe(90);
  runs.add(50, 2, 98);
  expect(runs.untilFreeMs(98)).toBe(202);
  runs.add(50, 2, 298);
  expect(runs.untilFreeMs(298)).toBe(Number.POSITIVE_INFINITY);
});
