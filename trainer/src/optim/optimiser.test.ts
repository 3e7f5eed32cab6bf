import { describe, expect, it } from 'vitest';
import { compiledEngine } from '../engine/compiled.js';
import type { Program, State } from '../engine/program.js';
import type { OptimiserSettings } from '../family.js';
import { constant } from '../nn/initialisers.js';
import { Variable } from '../nn/variable.js';
import { Optimiser } from './optimiser.js';

const gradients = [
  [0.5, -3],
  [0.25, 1e-3],
  [-4, 2],
  [-0.1, 0],
] as const;

/** The parameters after one update by each gradient, from 1 and 1. */
async function train(settings: OptimiserSettings): Promise<number[]> {
  const parameter = new Variable('w', [2], constant(1), true);
  const optimiser = new Optimiser('fit', [parameter], settings);
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
  const executable = await compiledEngine({ threads: 1 }).compile(program, 1);
  for (const [index, gradient] of gradients.entries()) {
    const scalars = { learning_rate: settings.learningRate, ...optimiser.feeds(index + 1) };
    const fed = Object.entries(scalars).map(
      ([name, value]) => [name, { dtype: 'float32', shape: [], data: Float32Array.of(value) }] as const,
    );
    const feeds = { gradient: { dtype: 'float32', shape: [2], data: Float32Array.from(gradient) } as const };
    await executable.run({ ...feeds, ...Object.fromEntries(fed) }, state);
  }
  await executable.close();
  return [...state.get('w')!];
}

/** One number moved by hand in float64: `step` takes update t, the parameter and its gradient, and carries its own state. */
function byHand(makeStep: () => (t: number, w: number, g: number) => number): number[] {
  return [0, 1].map(element => {
    const step = makeStep();
    return gradients.reduce((w, gradient, index) => step(index + 1, w, gradient[element]!), 1);
  });
}

const rate = 0.1;
const cases: [string, OptimiserSettings, () => (t: number, w: number, g: number) => number][] = [
  ['gradient descent', { name: 'sgd', learningRate: rate }, () => (_, w, g) => w - rate * g],
  [
    'momentum',
    { name: 'momentum', learningRate: rate, momentum: 0.8 },
    () => {
      let v = 0;
      return (_, w, g) => {
        v = 0.8 * v + g;
        return w - rate * v;
      };
    },
  ],
  [
    'RMSProp',
    { name: 'rmsprop', learningRate: rate, decay: 0.95, epsilon: 1e-4 },
    () => {
      let square = 0;
      return (_, w, g) => {
        square = 0.95 * square + 0.05 * g ** 2;
        return w - (rate * g) / (Math.sqrt(square) + 1e-4);
      };
    },
  ],
  [
    'Adam, bias corrections included',
    { name: 'adam', learningRate: rate, beta1: 0.9, beta2: 0.99, epsilon: 1e-6 },
    () => {
      let [first, second] = [0, 0];
      return (t, w, g) => {
        first = 0.9 * first + 0.1 * g;
        second = 0.99 * second + 0.01 * g ** 2;
        return w - (rate * (first / (1 - 0.9 ** t))) / (Math.sqrt(second / (1 - 0.99 ** t)) + 1e-6);
      };
    },
  ],
  [
    'Adamax, by the greatest of the decayed gradients',
    { name: 'adamax', learningRate: rate, beta1: 0.9, beta2: 0.99 },
    () => {
      let [first, greatest] = [0, 0];
      return (t, w, g) => {
        first = 0.9 * first + 0.1 * g;
        greatest = Math.max(0.99 * greatest, Math.abs(g));
        return w - ((rate / (1 - 0.9 ** t)) * first) / greatest;
      };
    },
  ],
  [
    'L2 weight decay, which goes through the momentum',
    { name: 'momentum', learningRate: rate, momentum: 0.5, weightDecay: 0.2 },
    () => {
      let v = 0;
      return (_, w, g) => {
        v = 0.5 * v + g + 0.2 * w;
        return w - rate * v;
      };
    },
  ],
  [
    'decoupled weight decay, which goes past it',
    { name: 'momentum', learningRate: rate, momentum: 0.5, weightDecay: 0.2, decoupled: true },
    () => {
      let v = 0;
      return (_, w, g) => {
        v = 0.5 * v + g;
        return w - rate * v - rate * 0.2 * w;
      };
    },
  ],
];

describe('an optimiser', () => {
  it.each(cases)('takes the steps of %s', async (_, settings, makeStep) => {
    const expected = byHand(makeStep);
    const updated = await train(settings);
    updated.forEach((value, element) => {
      expect(value).toBeCloseTo(expected[element]!, 5);
    });
  });
});
