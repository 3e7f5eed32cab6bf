import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fillNoise } from '@genserve/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compiledEngine } from '../engine/compiled.js';
import type { State } from '../engine/program.js';
import { blobDataset } from '../testing/blobs.js';
import { tf } from '../trace/tensorflow.js';
import { latestCheckpoint } from '../train/checkpoint.js';
import { runPaths } from '../train/run-folder.js';
import { train } from '../train/train.js';
import { perturbed } from './background.js';

let runs: string;
beforeAll(async () => {
  runs = await mkdtemp(join(tmpdir(), 'genserve-background-'));
});
afterAll(() => rm(runs, { recursive: true, force: true }));

describe('perturbed data', () => {
  const count = 20_000;
  const uniform = (name: string) => tf.tensor1d(fillNoise({ seed: 1, name, distribution: 'uniform', shape: [count] }));

  it('have the stated share of pixels drawn anew, over all levels alike', () => {
    const changed = perturbed(tf.fill([count], 0.5), uniform('chance'), uniform('level'), 0.2, 4).dataSync();
    const drawn = changed.filter(value => value !== 0.5);
    expect(Math.abs(drawn.length / count - 0.2)).toBeLessThan(3 * Math.sqrt((0.2 * 0.8) / count));
    for (const level of [0, 1, 2, 3]) {
      const share = drawn.filter(value => Math.abs(value - level / 3) < 1e-6).length / drawn.length;
      expect(Math.abs(share - 0.25)).toBeLessThan(4 * Math.sqrt((0.25 * 0.75) / drawn.length));
    }
  });

  it('are the data where nothing is replaced, and noise where everything is', () => {
    const data = tf.fill([count], 1);
    expect(Math.min(...perturbed(data, uniform('chance'), uniform('level'), 0, 2).dataSync())).toBe(1);
    const mean = tf.mean(perturbed(data, uniform('chance'), uniform('level'), 1, 2)).dataSync()[0]!;
    expect(Math.abs(mean - 0.5)).toBeLessThan(3 * Math.sqrt(0.25 / count));
  });
});

describe.each([
  ['vae', { latent: 2, hidden: [5] }],
  ['made', { hidden: [36], blocks: 2 }],
  ['gated-pixelcnn', { channels: 4, layers: 1, head: 4, size: 3, firstSize: 3 }],
])('a background model of %s', (family, configuration) => {
  async function trained(background: number): Promise<State> {
    const { folder } = await train({
      family,
      data: blobDataset(),
      configuration: { ...configuration, background },
      training: { batch: 4, evaluationRows: 4 },
      steps: 3,
      engine: compiledEngine({ threads: 1 }),
      runs,
      name: `${family}-${background}`,
    });
    return (await latestCheckpoint(runPaths(folder).checkpoints))!.state;
  }

  it('is trained beside the model and does not touch it', async () => {
    const [alone, beside] = [await trained(0), await trained(0.2)];
    const names = [...alone.keys()];
    expect(names.length).toBeGreaterThan(4);
    for (const name of names) expect([...beside.get(name)!], name).toEqual([...alone.get(name)!]);
    const own = [...beside.keys()].filter(name => name.startsWith('background/'));
    expect(own.length).toBeGreaterThan(0);
    const twin = own.find(name => alone.has(name.slice('background/'.length)) && beside.get(name)!.length > 4)!;
    expect([...beside.get(twin)!]).not.toEqual([...alone.get(twin.slice('background/'.length))!]);
  });
});
