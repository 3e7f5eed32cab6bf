// Twenty kills at random moments, many of them while a checkpoint is written: each resume succeeds, and the run ends with the bits
// of one that nobody killed.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { root } from '../support/paths.js';
import { record } from '../support/results.js';

const KILLS = 20;
const STEPS = 4000;
const train = [
  ...['train', '--family', 'vae', '--data', 'mnist', '--steps', `${STEPS}`, '--threads', '1', '--seed', '3'],
  ...['--set', 'hidden=[200]', '--set', 'training.batch=16', '--set', 'training.evaluateEvery=500'],
  // A checkpoint of 5 MB after nearly every step.
  ...['--set', 'training.evaluationRows=100', '--set', 'training.checkpointSeconds=0.01', '--no-export'],
];

it('survives 20 kills at random moments, bit for bit', async () => {
  const folder = mkdtempSync(`${tmpdir()}/genserve-kill-`);
  const checkpoints = `${folder}/runs/killed/checkpoints`;
  const start = (words: readonly string[]) => {
    const child = spawn(process.execPath, [`${root}cli/bin/genserve.mjs`, ...words], { cwd: folder, stdio: 'ignore' });
    return { child, ended: new Promise<number | null>(resolve => child.on('close', resolve)) };
  };
  const savedStep = () =>
    existsSync(checkpoints)
      ? Math.max(-1, ...readdirSync(checkpoints).map(name => Number(/^step-(\d+)\.ckpt$/.exec(name)?.[1] ?? -1)))
      : -1;
  const weights = (name: string) => readFileSync(`${folder}/models/${name}/1/weights.bin`);
  try {
    let [midSave, before] = [0, -1];
    let run = start([...train, '--name', 'killed']);
    for (let kill = 0; kill < KILLS; kill++) {
      // Past at least one new checkpoint, and before the end.
      while (savedStep() <= Math.max(before, (STEPS * kill) / (KILLS + 2))) await pause(5);
      await pause(400 * Math.random());
      run.child.kill('SIGKILL');
      expect(await run.ended).toBe(null);
      if (readdirSync(checkpoints).some(name => name.endsWith('.partial'))) midSave++;
      before = savedStep();
      run = start(['resume', 'runs/killed', '--threads', '1', '--no-export']);
    }
    expect(await run.ended).toBe(0);
    expect(await start([...train, '--name', 'whole']).ended).toBe(0);
    for (const name of ['whole', 'killed']) expect(await start(['export', `runs/${name}`]).ended).toBe(0);
    const identical = Number(weights('killed').equals(weights('whole')));
    record(
      'kill',
      'npm run test:slow kill',
      { kills: KILLS, kills_while_saving: midSave, identical },
      { steps: STEPS },
    );
    expect(identical).toBe(1);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
