import { availableParallelism } from 'node:os';
import { expect, test } from 'vitest';
import { availableCores } from './threads.js';

const files = (contents: Record<string, string>) => (path: string) => contents[path];

test('a quota below one core still gives one thread', () => {
  expect(availableCores(files({ '/sys/fs/cgroup/cpu.max': '50000 100000\n' }))).toBe(1);
});

test('an unlimited group gives the cores of the affinity mask', () => {
  expect(availableCores(files({ '/sys/fs/cgroup/cpu.max': 'max 100000\n' }))).toBe(availableParallelism());
  expect(availableCores(files({}))).toBe(availableParallelism());
});

test('version 1 of control groups is understood', () => {
  const read = files({
    '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '100000',
    '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000',
  });
  expect(availableCores(read)).toBe(1);
});
