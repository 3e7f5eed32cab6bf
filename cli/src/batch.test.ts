import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { genserve, start, stopAll, temporaryFolder } from './testing/genserve.js';
import { noiseImages } from './testing/images.js';

const folder = temporaryFolder();
afterAll(() => {
  stopAll();
  return rm(folder, { recursive: true, force: true });
});

const plan = `
defaults:
  family: vae
  data: images.npy
  configuration: { latent: 2, hidden: [8] }
  training: { batch: 8, evaluateEvery: 1000, evaluationRows: 8, checkpointSeconds: 0.05 }
  export: { testRows: 10, draws: 2, calibrationRows: 10 }
plan:
  - { name: first, steps: 10 }
  - { name: second, steps: 300 }
  - { name: third, steps: 10, seed: 3 }
`;

beforeAll(() => {
  writeFileSync(join(folder, 'images.npy'), noiseImages(100, 6));
  writeFileSync(join(folder, 'plan.yaml'), plan);
});

/** Steps at which a run began: 0, and where it went on. */
function begins(name: string): number[] {
  const lines = readFileSync(join(folder, 'runs', name, 'log.jsonl'), 'utf8')
    .trim()
    .split('\n');
  const events = lines.map(line => JSON.parse(line) as { event: string; startStep: number }); // as logged
  return events.filter(({ event }) => event === 'begin').map(({ startStep }) => startStep);
}

describe('genserve batch', () => {
  it('killed halfway and started again, finishes without repeating what was done', async () => {
    const killed = start(folder, 'batch', 'plan.yaml', '--threads', '1');
    await killed.says(/second: training/);
    const checkpoints = join(folder, 'runs/second/checkpoints');
    while (!existsSync(checkpoints) || !readdirSync(checkpoints).some(name => /^step-0*[1-9]\d*\.ckpt$/.test(name)))
      await new Promise(resolve => setTimeout(resolve, 20));
    killed.process.kill('SIGKILL');
    expect((await killed.ended).signal).toBe('SIGKILL');
    expect(existsSync(join(folder, 'models/second'))).toBe(false);
    const firstManifest = readFileSync(join(folder, 'models/first/1/manifest.json'), 'utf8');

    const again = await genserve(folder, 'batch', 'plan.yaml', '--threads', '1', '--json');
    expect(again.stderr).toContain('first: done before');
    expect(again.stderr).toContain('second: going on');
    expect(again.code).toBe(0);
    const { metrics, context } = JSON.parse(again.stdout) as {
      metrics: object;
      context: { runs: { status: string }[] };
    };
    expect(context.runs.map(({ status }) => status)).toEqual(['done', 'done', 'done']);
    for (const name of ['first', 'second', 'third']) {
      expect(metrics).toHaveProperty([`${name}.test.nll_nats`]);
      expect(readdirSync(join(folder, 'models', name))).toEqual(['1']);
    }
    expect(readFileSync(join(folder, 'models/first/1/manifest.json'), 'utf8')).toBe(firstManifest);
    expect(begins('first')).toEqual([0]);
    expect(begins('second')).toEqual([0, expect.any(Number)]);
    expect(begins('second')[1]).toBeGreaterThan(0);

    const third = await genserve(folder, 'batch', 'plan.yaml', '--threads', '1');
    expect(third.stdout).toMatch(/third +done .*models\/third\/1/);
    expect(begins('third')).toEqual([0]);
  }, 180_000);
});
