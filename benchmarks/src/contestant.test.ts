import { GenserveError } from '@genserve/runtime';
import { afterEach, expect, it } from 'vitest';
import { z } from 'zod';
import { Contestant } from './contestant.js';

const started: Contestant[] = [];
afterEach(async () => {
  for (const contestant of started.splice(0)) await contestant.close();
});

/** A process of Node that runs `program`, with `lines` as its standard input line by line. */
function contestant(program: string): Contestant {
  const lines = "const lines = require('node:readline').createInterface({ input: process.stdin });";
  const result = new Contestant('the probe', { file: process.execPath, arguments: ['-e', `${lines}${program}`] });
  started.push(result);
  return result;
}

it('answers each request in its turn', async () => {
  const probe = contestant("lines.on('line', line => console.log(JSON.stringify({ length: line.length })));");
  const answer = z.object({ length: z.number() });
  expect(await probe.ask('run 20', answer)).toEqual({ length: 6 });
  expect(await probe.ask('peak', answer)).toEqual({ length: 4 });
});

it('says what a process that died had written to standard error', async () => {
  const probe = contestant("lines.on('line', () => { console.error('no such weights'); process.exit(1); });");
  const failure = await probe.ask('run 20', z.unknown()).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(GenserveError);
  expect(String(failure)).toMatch(/the probe ended at "run 20":\nno such weights/);
});

it('refuses an answer of another form', async () => {
  const probe = contestant("lines.on('line', () => console.log('{\"seconds\": 1}'));");
  await expect(probe.ask('run 20', z.object({ milliseconds: z.array(z.number()) }))).rejects.toThrow('milliseconds');
});
