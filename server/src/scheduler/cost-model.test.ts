import { expect, test } from 'vitest';
import { CostModel } from './cost-model.js';

test('two batch sizes separate the fixed cost from the cost of a row', () => {
  const cost = new CostModel();
  for (const rows of [1, 8, 1, 8]) cost.observe(rows, 50 + 2 * rows);
  expect(cost.fit().fixedMs).toBeCloseTo(50, 6);
  expect(cost.fit().perRowMs).toBeCloseTo(2, 6);
  expect(cost.predictMs(100)).toBeCloseTo(250, 6);
});

test('a step holds the greatest power of two of rows that stays within its time', () => {
  const cost = new CostModel();
  for (const rows of [1, 8]) cost.observe(rows, 50 + 2 * rows);
  expect(cost.rowsWithin(250, 256)).toBe(64);
  expect(cost.rowsWithin(250, 48)).toBe(32);
  expect(cost.rowsWithin(10, 256)).toBe(1);
});

test('an operation never seen starts with a small step', () => {
  expect(new CostModel().rowsWithin(250, 256)).toBe(8);
  expect(new CostModel().rowsWithin(250, 4)).toBe(4);
});

test('the fit follows a change of speed', () => {
  const cost = new CostModel();
  for (let i = 0; i < 200; i++) cost.observe(1 + (i % 8), 10);
  for (let i = 0; i < 400; i++) cost.observe(1 + (i % 8), 10 + 5 * (1 + (i % 8)));
  expect(cost.fit().perRowMs).toBeCloseTo(5, 1);
});

test('a row that takes longer than a step is cut, and rows share a slice until they double its time', () => {
  const cost = new CostModel();
  for (const rows of [1, 8]) cost.observe(rows, 950 + 100 * rows);
  expect(cost.rowsWithin(250, 256)).toBe(1);
  expect(cost.shareWithin(250)).toBeCloseTo(250 / 1050, 6);
  expect(cost.rowsOfSlice(256)).toBe(11);
  expect(cost.shareWithin(5000)).toBe(1);
});

test('a run that the system held up hardly changes what is expected of the next', () => {
  const cost = new CostModel();
  for (const rows of [1, 8, 1, 8]) cost.observe(rows, 5 + rows);
  cost.observe(8, 5000);
  expect(cost.predictMs(8)).toBeLessThan(2 * 13);
});
