import { float32 } from '@genserve/runtime';
import { expect, it } from 'vitest';
import { eagerEngine } from '../engine/eager.js';
import type { Program, State } from '../engine/program.js';
import { constant } from '../nn/initialisers.js';
import { Variable } from '../nn/variable.js';
import { createOptimiser } from './optimiser.js';

/** Algorithm 2 of Kingma & Ba 2014 for one number, in float64. */
function adamaxByHand(start: number, gradients: readonly number[]): number {
  let [parameter, first, greatest] = [start, 0, 0];
  gradients.forEach((gradient, index) => {
    first = 0.9 * first + 0.1 * gradient;
    greatest = Math.max(0.99 * greatest, Math.abs(gradient));
    parameter -= (0.1 / (1 - 0.9 ** (index + 1))) * (first / greatest);
  });
  return parameter;
}

it('takes the steps of Adamax: by the greatest of the decayed gradients, which needs no correction', async () => {
  const settings = { name: 'adamax', learningRate: 0.1, beta1: 0.9, beta2: 0.99 } as const;
  const parameter = new Variable('w', [2], constant(1), true);
  const optimiser = createOptimiser('fit', [parameter], settings);
  const names = ['learning_rate', ...Object.keys(optimiser.feeds(1))];
  const program: Program = {
    name: 'update',
    inputs: [
      { name: 'gradient', dtype: 'float32', shape: [2] },
      ...names.map(name => ({ name, dtype: 'float32', shape: [] }) as const),
    ],
    state: [parameter, ...optimiser.variables()],
    run(fed) {
      optimiser.update([fed.gradient!], fed.learning_rate!, fed);
      return {};
    },
  };
  const state: State = new Map(program.state.map(({ name }) => [name, new Float32Array(2).fill(name === 'w' ? 1 : 0)]));
  const executable = await eagerEngine().compile(program, 1);
  const gradients = [
    [0.5, -3],
    [0.25, 1e-3],
    [-4, 2],
  ] as const;
  for (const [index, gradient] of gradients.entries()) {
    const scalars = { learning_rate: 0.1, ...optimiser.feeds(index + 1) };
    const fed = Object.entries(scalars).map(([name, value]) => [name, float32([], [value])] as const);
    await executable.run({ gradient: float32([2], [...gradient]), ...Object.fromEntries(fed) }, state);
  }
  for (const element of [0, 1]) {
    const own = gradients.map(gradient => gradient[element]!);
    expect(state.get('w')![element]).toBeCloseTo(adamaxByHand(1, own), 5);
  }
});
