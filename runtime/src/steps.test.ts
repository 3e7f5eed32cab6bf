import { expect, it } from 'vitest';
import type { Operation } from './manifest.js';
import type { Runner } from './session.js';
import { runStep, stepParts } from './steps.js';
import { float32, int32, type Tensors } from './tensor.js';

const port = (name: string, role: string, dtype: string, shape: number[]) => ({ name, role, dtype, shape });
/** Digits 0 and 2 by one graph, 1 by another. */
const ensemble: Operation = {
  name: 'sample',
  file: 'a.onnx',
  inputs: [port('z', 'noise', 'float32', [0, 2]), port('label', 'label', 'int32', [0])],
  outputs: [port('x', 'data', 'float32', [0, 2])],
  cost: undefined,
  members: [
    { labels: [0, 2], file: 'a.onnx' },
    { labels: [1], file: 'b.onnx' },
  ],
};

/** Member i adds 100 * (i + 1) to its noise. */
const calls: [string, Tensors][] = [];
const runner: Runner = {
  async run(operation, feeds) {
    calls.push([operation, feeds]);
    const add = 100 * (Number(operation.split('#')[1]) + 1);
    return {
      x: float32(
        feeds.z!.shape,
        feeds.z!.data.map(value => value + add),
      ),
    };
  },
  rowsPerStep: () => 64,
  close: async () => undefined,
};

it('gives each row of a class-split ensemble to the member of its label, and answers in order', async () => {
  const feeds = { z: float32([3, 2], [1, 2, 3, 4, 5, 6]), label: int32([3], [1, 0, 2]) };
  const { x } = await runStep(runner, ensemble, feeds, undefined);
  expect(x).toEqual(float32([3, 2], [201, 202, 103, 104, 105, 106]));
  expect(calls.map(([name, given]) => [name, Array.from(given.label!.data)])).toEqual([
    ['sample#1', [1]],
    ['sample#0', [0, 2]],
  ]);
});

it.each([3, -1])('refuses label %d, which no member serves', async label => {
  const feeds = { z: float32([1, 2], [1, 2]), label: int32([1], [label]) };
  await expect(runStep(runner, ensemble, feeds, undefined)).rejects.toMatchObject({
    reason: 'INVALID_ARGUMENT',
    field: 'label',
  });
});

it('takes a picture that holds everything drawn so far from the last slice, which may have revised earlier rows', async () => {
  const resumable: Operation = {
    ...ensemble,
    inputs: [
      port('first_row', 'count', 'int32', []),
      { ...port('row_count', 'count', 'int32', []), default: 2 },
      port('image', 'state', 'float32', [0, 2, 1, 1]),
    ],
    outputs: [port('x', 'data', 'float32', [0, 2, 1, 1]), port('next_image', 'state', 'float32', [0, 2, 1, 1])],
    members: [],
  };
  // Each slice sets its row to 1 and adds 10 to all rows.
  const slices: Runner = {
    async run(_, feeds) {
      const row = feeds.first_row!.data[0];
      const x = float32(
        [1, 2, 1, 1],
        feeds.image!.data.map((value, i) => (i === row ? 1 : value) + 10),
      );
      return { x, next_image: x };
    },
    rowsPerStep: () => 0.5,
    close: async () => undefined,
  };
  const feeds = { first_row: int32([], [0]), row_count: int32([], [2]), image: float32([1, 2, 1, 1], [0, 0]) };
  const { x } = await runStep(slices, resumable, feeds, undefined);
  expect(x!.data).toEqual(Float32Array.of(21, 11));

  const parts: [number | undefined, number[]][] = [];
  for await (const { outputs, drawn } of stepParts({ ...slices, rowsPerStep: () => 64 }, resumable, feeds, {
    byRow: true,
  }))
    parts.push([drawn?.rows, Array.from(outputs.x!.data)]);
  // Row by row where it is asked for, whatever it costs: a preview, and then the whole.
  expect(parts).toEqual([
    [1, [11, 10]],
    [undefined, [21, 11]],
  ]);
});
