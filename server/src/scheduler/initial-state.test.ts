import type { Operation, Tensors } from '@genserve/runtime';
import { expect, test } from 'vitest';
import { withInitialState, withoutInitialState } from './initial-state.js';

const port = (name: string, role: string, shape: number[]) => ({ name, dtype: 'float32', shape, role });
const operation: Operation = {
  name: 'sample',
  file: 'sample.onnx',
  inputs: [port('memory', 'state', [0, 3]), port('pixels', 'noise', [0, 2])],
  outputs: [],
  cost: undefined,
  members: [],
};
const feeds = (memory: number[]): Tensors => ({
  pixels: { dtype: 'float32', shape: [2, 2], data: new Float32Array(4) },
  memory: { dtype: 'float32', shape: [2, 3], data: Float32Array.from(memory) },
});

test('state that is zero is left out, and made again from the rows of the others', () => {
  const short = withoutInitialState(operation, feeds([0, 0, 0, 0, 0, 0]));
  expect(Object.keys(short)).toEqual(['pixels']);
  expect(withInitialState(operation, short)).toEqual(feeds([0, 0, 0, 0, 0, 0]));
});

test('other state goes along as it is: one number anywhere, or a negative zero, is enough', () => {
  for (const memory of [
    [0, 0, 0, 0, 0, 1e-45],
    [1, 0, 0, 0, 0, 0],
    [0, 0, -0, 0, 0, 0],
  ]) {
    const given = feeds(memory);
    expect(withInitialState(operation, withoutInitialState(operation, given))).toEqual(given);
    expect(Object.keys(withoutInitialState(operation, given))).toEqual(['pixels', 'memory']);
  }
});
