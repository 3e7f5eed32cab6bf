import { spawn } from 'node:child_process';
import { getPriority } from 'node:os';
import { expect, test } from 'vitest';
import { giveWay, mayRiseAgain, riseAgain } from './rank.js';

test('a process gives way where it can have its rank back, and has it back', () => {
  const child = spawn('sleep', ['10']);
  const pid = child.pid ?? 0;
  try {
    const before = getPriority(pid);
    giveWay(pid);
    expect(getPriority(pid)).toBe(mayRiseAgain ? before + 10 : before);
    riseAgain(pid);
    expect(getPriority(pid)).toBe(before);
  } finally {
    child.kill();
  }
});

test('a process that has ended is no error', () => {
  expect(() => giveWay(2 ** 22)).not.toThrow();
});
