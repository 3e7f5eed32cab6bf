// From the start of the process to the end of the first training step, for the five nets of `genserve bench train`.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { root } from '../support/paths.js';
import { record } from '../support/results.js';

const BAR_SECONDS = 6;
const nets = { vae: 'thesis', dcgan: 'paper', 'gated-pixelcnn': 'benchmark', glow: 'benchmark', made: 'benchmark' };

async function secondsToFirstStep(family: string, preset: string): Promise<number> {
  const folder = mkdtempSync(`${tmpdir()}/genserve-start-`);
  const words = [
    'train',
    '--family',
    family,
    '--preset',
    preset,
    '--data',
    'mnist',
    '--steps',
    '1000',
    '--name',
    'run',
  ];
  const startedAt = performance.now();
  const child = spawn(process.execPath, [`${root}cli/bin/genserve.mjs`, ...words, '--set', 'training.batch=64'], {
    cwd: folder,
    stdio: 'ignore',
  });
  const ended = new Promise(resolve => child.on('close', resolve));
  const log = `${folder}/runs/run/log.jsonl`;
  while (!(existsSync(log) && readFileSync(log, 'utf8').includes('"event":"step"'))) {
    if (child.exitCode !== null) throw new Error(`${family} ended with ${child.exitCode} before its first step`);
    await pause(20);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  child.kill('SIGKILL');
  await ended;
  rmSync(folder, { recursive: true });
  return seconds;
}

it('takes less than 6 s for each of the five', async () => {
  const metrics: Record<string, number> = {};
  for (const [family, preset] of Object.entries(nets)) {
    // Twice: the first brings files into memory.
    await secondsToFirstStep(family, preset);
    metrics[`start.${family}.seconds`] = await secondsToFirstStep(family, preset);
  }
  const slowest = Math.max(...Object.values(metrics));
  record('start-up', 'npm run test:slow start-up', { ...metrics, 'start.slowest.seconds': slowest }, {});
  expect(slowest).toBeLessThan(BAR_SECONDS);
});
