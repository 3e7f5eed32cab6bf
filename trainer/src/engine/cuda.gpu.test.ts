// What must hold on CUDA: run by `npm run test:gpu` alone.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { blobDataset } from '../testing/blobs.js';
import { describeDevice } from '../testing/devices.js';
import { train } from '../train/train.js';
import { compiledEngine } from './compiled.js';
import { chooseDevice } from './device.js';

describeDevice('cuda');

it('is what auto takes', async () => {
  expect((await chooseDevice()).device).toBe('cuda');
});

it('trains with several steps in a run as with single ones, to 1e-3', async () => {
  const runs = await mkdtemp(join(tmpdir(), 'genserve-cuda-'));
  const losses: number[][] = [];
  for (const stepsPerRun of [1, 8]) {
    const seen: number[] = [];
    await train({
      ...{ family: 'vae', data: blobDataset(), runs, name: `k${stepsPerRun}`, steps: 20 },
      configuration: { latent: 3, hidden: [40] },
      training: { batch: 6, evaluationRows: 8, stepsPerRun },
      engine: compiledEngine({ device: 'cuda' }),
      callbacks: [{ onStepEnd: ({ metrics }) => void seen.push(metrics.loss!) }],
    });
    losses.push(seen);
  }
  for (const [step, loss] of losses[0]!.entries()) expect(Math.abs(losses[1]![step]! / loss - 1)).toBeLessThan(1e-3);
  await rm(runs, { recursive: true });
});
