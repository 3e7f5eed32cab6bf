// What a newcomer's first training gives: `genserve train --family vae --data mnist --steps 6000`, nothing else set.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { genserve } from '../support/command.js';
import { record } from '../support/results.js';

it('reaches less than 97 nats on the first 1,000 test digits', async () => {
  const folder = mkdtempSync(`${tmpdir()}/genserve-6000-`);
  try {
    const train = ['train', '--family', 'vae', '--data', 'mnist', '--steps', '6000'];
    await genserve(train, folder);
    const [name] = readdirSync(`${folder}/models`);
    const evaluate = [
      'evaluate',
      `models/${name}`,
      '--data',
      'mnist',
      '--metric',
      'nll',
      '--k',
      '100',
      '--limit',
      '1000',
    ];
    const { metrics, context } = await genserve(evaluate, folder);
    record('vae-6000-steps', `genserve ${train.join(' ')}`, metrics, context);
    expect(metrics.nll_nats).toBeLessThan(97);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
