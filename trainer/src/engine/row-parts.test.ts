// A batch in parts is the same training: each part on a thread of its own, one update for all.
import type { Tensors } from '@genserve/runtime';
import { describe, expect, test } from 'vitest';
import { Scope } from '../nn/variable.js';
import { floats, relativeDifference, worst } from '../testing/agreement.js';
import { tf } from '../trace/tensorflow.js';
import { compiledEngine } from './compiled.js';
import type { Program, State } from './program.js';
import { countParts, worthParts } from './row-parts.js';

const SIDE = 12;
const BATCH = 24;

/** A filter that learns by gradient descent to answer 1. `run` alone is the whole batch at once. */
function descent({ count = false }: { count?: boolean } = {}) {
  const scope = new Scope();
  const filter = scope.parameter('filter', [3, 3, 1, 2], () => new Float32Array());
  const seen = scope.statistic('seen', [], () => new Float32Array(1));
  const rows: Program = {
    name: 'step, rows',
    inputs: [
      { name: 'x', dtype: 'float32', shape: ['batch', SIDE, SIDE, 1] },
      { name: 'weight', dtype: 'float32', shape: [] },
    ],
    state: scope.variables(),
    run({ x, weight }) {
      if (count) seen.assign(tf.add(seen.value, 1));
      const distance = (f: tf.Tensor) => {
        const answers = tf.conv2d(x as tf.Tensor4D, f as tf.Tensor4D, 1, 'same');
        return tf.mul(weight!, tf.mean(tf.square(tf.sub(tf.tanh(answers), 1)))) as tf.Scalar;
      };
      const { value, grad } = tf.valueAndGrad(distance)(filter.value);
      return { loss: value, slope: grad };
    },
  };
  const merge: Program = {
    name: 'step, update',
    inputs: [
      { name: 'slope', dtype: 'float32', shape: [3, 3, 1, 2] },
      { name: 'rate', dtype: 'float32', shape: [] },
    ],
    state: scope.variables(),
    run({ slope, rate }) {
      filter.assign(tf.sub(filter.value, tf.mul(rate!, slope!)));
      return { steepness: tf.sum(tf.abs(slope!)) };
    },
  };
  const program: Program = {
    name: 'step',
    inputs: [...rows.inputs, { name: 'rate', dtype: 'float32', shape: [] }],
    state: scope.variables(),
    run(inputs) {
      const { loss, slope } = rows.run(inputs);
      return { loss: loss!, ...merge.run({ slope: slope!, rate: inputs.rate! }) };
    },
    parts: { rows, merge },
  };
  const state = (): State =>
    new Map([
      ['filter', floats(filter.shape, 3, -0.5, 0.5).data as Float32Array],
      ['seen', new Float32Array(1)],
    ]);
  return { program, state };
}

const feeds = (batch: number): Tensors => ({
  x: floats([batch, SIDE, SIDE, 1], 42),
  weight: { dtype: 'float32', shape: [], data: Float32Array.of(2) },
  rate: { dtype: 'float32', shape: [], data: Float32Array.of(0.3) },
});

async function train(threads: number) {
  const { program, state } = descent();
  const values = state();
  const executable = await compiledEngine({ threads }).compile(program, BATCH);
  const outputs: Tensors[] = [];
  for (let step = 0; step < 4; step++) outputs.push(await executable.run(feeds(BATCH), values));
  await executable.close();
  return { outputs, filter: { dtype: 'float32', shape: [18], data: values.get('filter')! } as Tensors[string] };
}

test.each([2, 3])('%i parts train as the whole batch does, and repeat themselves bit for bit', async threads => {
  const [whole, parts, again] = [await train(1), await train(threads), await train(threads)];
  for (const [step, outputs] of whole.outputs.entries()) {
    expect(Object.keys(parts.outputs[step]!).toSorted()).toEqual(['loss', 'steepness']);
    expect(worst(outputs, parts.outputs[step]!).relative, `step ${step}`).toBeLessThan(1e-5);
  }
  expect(relativeDifference(whole.filter, parts.filter)).toBeLessThan(1e-5);
  expect(parts.filter.data, 'sums of parts are others in their last bits').not.toEqual(whole.filter.data);
  expect(again.filter.data).toEqual(parts.filter.data);
});

test('the feeds of the whole batch are checked before any part is told', async () => {
  const { program, state } = descent();
  const executable = await compiledEngine({ threads: 2 }).compile(program, BATCH);
  await expect(executable.run(feeds(8), state())).rejects.toThrow(/^x: has shape \[8,12,12,1\].*takes \[24,/);
  await executable.close();
});

test('a thread that has ended fails the next run', async () => {
  const { program, state } = descent();
  const executable = await compiledEngine({ threads: 2 }).compile(program, BATCH);
  await executable.run(feeds(BATCH), state());
  await executable.close();
  await expect(executable.run(feeds(BATCH), state())).rejects.toThrow(/a training thread ended/);
});

test('rows that assign a variable are not apart', async () => {
  const { program } = descent({ count: true });
  await expect(compiledEngine({ threads: 2 }).compile(program, BATCH)).rejects.toThrow(/not apart.*seen/);
});

describe('how many parts', () => {
  test.each([
    { batch: 64, threads: 1, parts: 1 },
    { batch: 64, threads: 2, parts: 2 },
    { batch: 64, threads: 16, parts: 8 },
    { batch: 50, threads: 4, parts: 2 },
    { batch: 12, threads: 2, parts: 1 },
    { batch: 17, threads: 2, parts: 1 },
  ])('$batch rows on $threads threads: $parts', ({ batch, threads, parts }) => {
    expect(countParts(batch, threads)).toBe(parts);
  });

  test('none where a row has few multiply-adds for each parameter, as in dense layers', () => {
    expect(worthParts(3e6, 1e6)).toBe(false);
    expect(worthParts(80e6, 1e6)).toBe(true);
  });
});
