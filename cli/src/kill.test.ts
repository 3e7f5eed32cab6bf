// Training that is killed, as machines kill it: without warning, again and again.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { genserve, type Running, start, temporaryFolder } from './testing/genserve.js';
import { noiseImages } from './testing/images.js';

const folder = temporaryFolder();
let running: Running | undefined;
afterAll(async () => {
  running?.process.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

const steps = 400;
const train = [
  ...['train', '--family', 'vae', '--data', 'images.npy', '--steps', `${steps}`, '--threads', '1', '--seed', '5'],
  ...['--set', 'latent=3', '--set', 'hidden=[12]', '--set', 'training.batch=8'],
  ...['--set', 'training.evaluateEvery=1000', '--set', 'training.evaluationRows=8'],
  ...['--set', 'training.checkpointSeconds=0.02'],
];

beforeAll(() => writeFileSync(join(folder, 'images.npy'), noiseImages(120, 6)));

/** The step of the newest checkpoint of a run; -1 where there is none. */
function savedStep(run: string): number {
  const checkpoints = join(folder, 'runs', run, 'checkpoints');
  if (!existsSync(checkpoints)) return -1;
  const saved = readdirSync(checkpoints).map(name => /^step-(\d+)\.ckpt$/.exec(name)?.[1]);
  return Math.max(-1, ...saved.filter(step => step !== undefined).map(Number));
}

/** Kills the process soon after the run has saved a step from `after` on: now within a step, now within a save. */
async function killAfter(run: string, after: number, delayMs: number): Promise<void> {
  while (savedStep(run) < after) await pause(2);
  await pause(delayMs);
  running?.process.kill('SIGKILL');
  await running?.ended;
}

function weights(name: string): Buffer {
  return readFileSync(join(folder, 'models', name, '1', 'weights.bin'));
}

it('killed four times and resumed, gives the weights of the run that nobody killed, bit for bit', async () => {
  const whole = await genserve(folder, ...train, '--name', 'whole', '--no-export');
  expect(whole.stderr).toContain(`step ${steps}`);

  running = start(folder, ...train, '--name', 'killed', '--no-export');
  for (const [after, delayMs] of [
    [1, 0],
    [60, 3],
    [130, 7],
    [220, 12],
  ] as const) {
    await killAfter('killed', after, delayMs);
    expect(savedStep('killed')).toBeLessThan(steps);
    running = start(folder, 'resume', 'runs/killed', '--no-export');
  }
  expect((await running.ended).code).toBe(0);
  expect(savedStep('killed')).toBe(steps);

  for (const name of ['whole', 'killed']) expect((await genserve(folder, 'export', `runs/${name}`)).code).toBe(0);
  expect(weights('killed').equals(weights('whole'))).toBe(true);
}, 240_000);
