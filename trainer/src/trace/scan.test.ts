// A scan means the same to every engine, whatever it carries, reads, stacks, or holds inside it.
import { float32, int32, type Tensors } from '@genserve/runtime';
import { afterEach, describe, expect, test } from 'vitest';
import { compiledEngine } from '../engine/compiled.js';
import { eagerEngine } from '../engine/eager.js';
import type { Program } from '../engine/program.js';
import { createSession } from '../engine/session.js';
import { exportOperations } from './operations.js';
import { scan } from './scan.js';
import { tf } from './tensorflow.js';

/** h <- 2 h + x_i from row i of x, and all states on the way: [steps, batch]. */
const recurrence: Program = {
  name: 'recurrence',
  inputs: [
    { name: 'h', dtype: 'float32', shape: ['batch'] },
    { name: 'x', dtype: 'float32', shape: ['batch', 3] },
  ],
  state: [],
  run({ h, x }) {
    const { carry, stacked } = scan({
      trips: 3,
      carry: { h: h! },
      slices: { x: tf.transpose(x!) },
      body({ carry, slices }) {
        const next = tf.add(tf.mul(2, carry.h), slices.x);
        return { carry: { h: next }, stacked: { h: next } };
      },
    });
    return { last: carry.h, all: tf.transpose(stacked.h) };
  },
};

/** Adds 1 to the elements of a [batch, 4, 2] table row by row, from `first` for `count` rows: a scan within a scan. */
const rows: Program = {
  name: 'rows',
  inputs: [
    { name: 'table', dtype: 'float32', shape: ['batch', 4, 2] },
    { name: 'first', dtype: 'int32', shape: [] },
    { name: 'count', dtype: 'int32', shape: [] },
  ],
  state: [],
  run({ table, first, count }) {
    const { carry } = scan({
      trips: { count: count!, most: 4 },
      carry: { table: table! },
      body({ index, carry }) {
        const row = tf.add(first!, index);
        const old = tf.transpose(tf.gather(carry.table, row, 1));
        const columns = scan({
          trips: 2,
          carry: {},
          slices: { old },
          body: ({ slices }) => ({ carry: {}, stacked: { added: tf.add(slices.old, 1) } }),
        });
        const added = tf.expandDims(tf.transpose(columns.stacked.added), 1);
        const here = tf.reshape(tf.oneHot(row, 4), [1, 4, 1]);
        return { carry: { table: tf.where(tf.cast(here, 'bool'), added, carry.table) } };
      },
    });
    return { added: carry.table };
  },
};

const started: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of started.splice(0)) await each.close();
});

const runs: [string, (program: Program, batch: number, feeds: Tensors) => Promise<Tensors>][] = [
  ['eager', async (program, batch, feeds) => (await eagerEngine().compile(program, batch)).run(feeds, new Map())],
  [
    'compiled',
    async (program, batch, feeds) => {
      const executable = await compiledEngine({ threads: 1 }).compile(program, batch);
      started.push(executable);
      return executable.run(feeds, new Map());
    },
  ],
  [
    'exported',
    async (program, _, feeds) => {
      const { operations } = exportOperations([program], new Map());
      const session = await createSession(operations[0]!.model, { threads: 1 });
      started.push(session);
      return session.run(feeds);
    },
  ],
];

describe.each(runs)('a scan, %s', (_, run) => {
  test('carries state, reads slices and stacks rows', async () => {
    const feeds = { h: float32([2], [1, -1]), x: float32([2, 3], [1, 2, 3, 10, 20, 30]) };
    const { last, all } = await run(recurrence, 2, feeds);
    expect(Array.from(last!.data)).toEqual([19, 102]);
    expect(Array.from(all!.data)).toEqual([3, 8, 19, 8, 36, 102]);
  });

  test('runs as often as an input says, with a scan inside', async () => {
    const table = float32([3, 4, 2], new Float32Array(24));
    const sum = async (first: number, count: number) =>
      (await run(rows, 3, { table, first: int32([], [first]), count: int32([], [count]) })).added!.data;
    expect(Array.from(await sum(0, 4))).toEqual(new Array(24).fill(1));
    expect(Array.from((await sum(1, 2)).slice(0, 8))).toEqual([0, 0, 1, 1, 1, 1, 0, 0]);
    expect(Array.from(await sum(2, 0))).toEqual(new Array(24).fill(0));
  });
});

test('a body that changes the shape of what it carries is refused when recorded', () => {
  const growing: Program = {
    name: 'growing',
    inputs: [{ name: 'x', dtype: 'float32', shape: ['batch', 2] }],
    state: [],
    run: ({ x }) =>
      scan({ trips: 2, carry: { x: x! }, body: ({ carry }) => ({ carry: { x: tf.concat([carry.x, x!], 1) } }) }).carry,
  };
  expect(() => exportOperations([growing], new Map())).toThrow("'x' is carried as float32 [5,2]");
});
