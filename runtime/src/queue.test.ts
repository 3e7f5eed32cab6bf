import { expect, it } from 'vitest';
import { serialQueue } from './queue.js';

const pause = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms));

it('runs tasks one at a time, in the order in which they came', async () => {
  const queue = serialQueue();
  const events: string[] = [];
  const task = (name: string, ms: number) => async () => {
    events.push(`${name} starts`);
    await pause(ms);
    events.push(`${name} ends`);
    return name;
  };
  expect(await Promise.all([queue(task('a', 5)), queue(task('b', 0))])).toEqual(['a', 'b']);
  expect(events).toEqual(['a starts', 'a ends', 'b starts', 'b ends']);
});

it('survives a rejection, which reaches its own caller only', async () => {
  const queue = serialQueue();
  const failed = queue(() => Promise.reject(new Error('first')));
  const thrown = queue(() => {
    throw new Error('second');
  });
  const after = queue(async () => 3);
  await expect(failed).rejects.toThrow('first');
  await expect(thrown).rejects.toThrow('second');
  expect(await after).toBe(3);
});
