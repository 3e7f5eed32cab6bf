import { describe, expect, it } from 'vitest';
import { eagerEngine } from '../engine/eager.js';
import type { Program, State } from '../engine/program.js';
import { constant } from '../nn/initialisers.js';
import { Variable } from '../nn/variable.js';
import { Adam } from './adam.js';
import { averagedState, averagingRate, ParameterAverage } from './average.js';
import { clipByGlobalNorm, globalNorm } from './clip.js';

const settings = { name: 'adam', learningRate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-6 } as const;

/** Algorithm 1 of Kingma & Ba 2014 for one number, in float64. */
function adamByHand(start: number, gradients: readonly number[]): number {
  let [parameter, first, second] = [start, 0, 0];
  gradients.forEach((gradient, index) => {
    const t = index + 1;
    first = 0.9 * first + 0.1 * gradient;
    second = 0.99 * second + 0.01 * gradient ** 2;
    parameter -= (0.1 * (first / (1 - 0.9 ** t))) / (Math.sqrt(second / (1 - 0.99 ** t)) + 1e-6);
  });
  return parameter;
}

const scalar = (value: number) => ({ dtype: 'float32', shape: [], data: Float32Array.of(value) }) as const;

describe('Adam', () => {
  it('takes the steps of algorithm 1, bias corrections included', async () => {
    const parameter = new Variable('w', [2], constant(1), true);
    const adam = new Adam('fit', [parameter], settings);
    const program: Program = {
      name: 'update',
      inputs: [
        { name: 'gradient', dtype: 'float32', shape: [2] },
        { name: 'learningRate', dtype: 'float32', shape: [] },
        { name: 'correction1', dtype: 'float32', shape: [] },
        { name: 'correction2', dtype: 'float32', shape: [] },
      ],
      state: [parameter, ...adam.variables()],
      run(fed) {
        adam.update([fed.gradient!], fed.learningRate!, fed);
        return {};
      },
    };
    const state: State = new Map(
      program.state.map(({ name }) => [name, new Float32Array(2).fill(name === 'w' ? 1 : 0)]),
    );
    const executable = await eagerEngine().compile(program, 1);
    const gradients = [
      [0.5, -3],
      [0.25, 1e-3],
      [-4, 2],
    ] as const;
    for (const [index, gradient] of gradients.entries()) {
      const { correction1, correction2 } = adam.feeds(index + 1);
      const feeds = {
        gradient: { dtype: 'float32', shape: [2], data: Float32Array.from(gradient) },
        learningRate: scalar(settings.learningRate),
        correction1: scalar(correction1),
        correction2: scalar(correction2),
      } as const;
      await executable.run(feeds, state);
    }
    const updated = state.get('w')!;
    expect(updated[0]).toBeCloseTo(
      adamByHand(
        1,
        gradients.map(([first]) => first),
      ),
      5,
    );
    expect(updated[1]).toBeCloseTo(
      adamByHand(
        1,
        gradients.map(([, second]) => second),
      ),
      5,
    );
  });
});

describe('clipping by global norm', () => {
  const clip = async (gradients: readonly number[], maximum: number) => {
    const program: Program = {
      name: 'clip',
      inputs: gradients.map((_, i) => ({ name: `g${i}`, dtype: 'float32', shape: [1] })),
      state: [],
      run(fed) {
        const list = gradients.map((_, i) => fed[`g${i}`]!);
        const norm = globalNorm(list);
        const clipped = clipByGlobalNorm(list, norm, maximum);
        return { norm, ...Object.fromEntries(clipped.map((gradient, i) => [`c${i}`, gradient])) };
      },
    };
    const feeds = gradients.map(
      (g, i) => [`g${i}`, { dtype: 'float32', shape: [1], data: Float32Array.of(g) }] as const,
    );
    const outputs = await (await eagerEngine().compile(program, 1)).run(Object.fromEntries(feeds), new Map());
    return { norm: outputs.norm!.data[0]!, clipped: gradients.map((_, i) => outputs[`c${i}`]!.data[0]!) };
  };

  it('scales all gradients by one factor when their norm is too great', async () => {
    const { norm, clipped } = await clip([3, -4], 2.5);
    expect(norm).toBeCloseTo(5, 5);
    expect(clipped[0]).toBeCloseTo(1.5, 5);
    expect(clipped[1]).toBeCloseTo(-2, 5);
  });

  it('leaves small gradients alone', async () => {
    expect((await clip([0.3, -0.4], 2.5)).clipped).toEqual([Math.fround(0.3), Math.fround(-0.4)]);
  });
});

describe('the parameter average', () => {
  it('is a geometric mean of memories: w0 d^n + sum of (1 - d) d^(n-k) w_k', async () => {
    const parameter = new Variable('w', [1], constant(0), true);
    const average = new ParameterAverage([parameter]);
    const program: Program = {
      name: 'average',
      inputs: [
        { name: 'value', dtype: 'float32', shape: [1] },
        { name: 'rate', dtype: 'float32', shape: [] },
      ],
      state: [parameter, ...average.variables()],
      run(fed) {
        parameter.assign(fed.value!.clone());
        average.update(fed.rate!);
        return {};
      },
    };
    const state: State = new Map([
      ['w', Float32Array.of(2)],
      ['average/w', Float32Array.of(2)],
    ]);
    const executable = await eagerEngine().compile(program, 1);
    for (const value of [1, 5])
      await executable.run(
        { value: { dtype: 'float32', shape: [1], data: Float32Array.of(value) }, rate: scalar(0.1) },
        state,
      );
    expect(averagedState(state).get('w')![0]).toBeCloseTo(2 * 0.81 + 1 * 0.1 * 0.9 + 5 * 0.1, 5);
    expect(state.get('w')![0]).toBe(5);
  });

  it('remembers little at first', () => {
    expect(averagingRate(0.999, 1)).toBeCloseTo(9 / 11, 10);
    expect(averagingRate(0.999, 1e6)).toBeCloseTo(0.001, 10);
  });
});
