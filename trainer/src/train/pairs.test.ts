// Paired rows on their way from a data set into a loss.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { compiledEngine } from '../engine/compiled.js';
import type { Family } from '../family.js';
import { constant } from '../nn/initialisers.js';
import { blobDataset, blobSize } from '../testing/blobs.js';
import { tf } from '../trace/tensorflow.js';
import { latestCheckpoint } from './checkpoint.js';
import { runPaths } from './run-folder.js';
import { train } from './train.js';

const plain = blobDataset();
/** Rows whose target is three times the row, and one. */
const dataset = {
  ...plain,
  target: plain.domain,
  train: {
    ...plain.train,
    async read(indices: readonly number[]) {
      const { data } = await plain.train.read(indices);
      return { data, target: data.map(value => 3 * value + 1) };
    },
  },
};

const shape = [blobSize, blobSize, 1];
const line: Family<object> = {
  ...{ name: 'line', paper: '', url: '', configuration: z.strictObject({}), presets: { only: {} } },
  defaultPreset: 'only',
  training: { batch: 10, optimiser: { name: 'adam', learningRate: 0.3 }, parameterAverage: 0 },
  build(_, __, scope) {
    const [slope, offset] = [scope.parameter('slope', [], constant(0)), scope.parameter('offset', [], constant(0))];
    return {
      ...{ operations: [], noises: [], likelihood: { kind: 'none', dimensions: 0, measure: '' }, conditions: [] },
      stages: [
        {
          name: 'fit',
          steps: [
            {
              ...{ name: 'fit', parameters: [slope, offset], noises: [], target: shape, repeats: 2 },
              loss: ({ data, target }) => ({
                loss: tf.mean(tf.square(tf.sub(target!, tf.add(tf.mul(data, slope.value), offset.value)))),
              }),
            },
          ],
        },
      ],
    };
  },
};
// Family is opaque in its configuration where it is used.
const family = line as unknown as Family;

it('a step that asks for targets learns from them, and a set without is refused before anything is written', async () => {
  const runs = await mkdtemp(join(tmpdir(), 'genserve-pairs-'));
  const options = { family, runs, steps: 400, engine: compiledEngine({ threads: 1 }) };
  const { folder } = await train({ ...options, data: dataset, name: 'pairs' });
  const { state } = (await latestCheckpoint(runPaths(folder).checkpoints))!;
  expect(state.get('slope')![0]).toBeCloseTo(3, 1);
  expect(state.get('offset')![0]).toBeCloseTo(1, 1);
  await expect(train({ ...options, data: plain, name: 'plain' })).rejects.toThrow(
    /line learns from pairs.*emoji-pairs/,
  );
  await rm(runs, { recursive: true });
});
