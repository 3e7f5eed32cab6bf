import { float32, type Tensors } from '@genserve/runtime';
import { expect, it } from 'vitest';
import { compiledEngine } from '../engine/compiled.js';
import type { Program } from '../engine/program.js';
import { tanhPixels } from './image-gan.js';

it('pixels from tanh stay in [0, 1] in onnxruntime as well, however far tanh saturates', async () => {
  const x = Float32Array.from({ length: 4001 }, (_, i) => (i - 2000) / 100);
  const program: Program = {
    name: 'pixels',
    state: [],
    inputs: [{ name: 'x', dtype: 'float32', shape: ['batch', x.length] }],
    run: fed => ({ y: tanhPixels(fed.x!) }), // the one input
  };
  const executable = await compiledEngine({ threads: 1 }).compile(program, 1);
  const { y }: Tensors = await executable.run({ x: float32([1, x.length], x) }, new Map());
  await executable.close();
  const { data } = y!;
  expect(Math.min(...data)).toBe(0);
  expect(Math.max(...data)).toBe(1);
  expect(data[2000]).toBe(0.5);
  x.forEach((value, i) => {
    expect(data[i]).toBeCloseTo((Math.tanh(value) + 1) / 2, 6);
  });
});
