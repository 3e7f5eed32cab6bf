import { describe, expect, it } from 'vitest';
import { eagerEngine } from '../engine/eager.js';
import type { Program, State } from '../engine/program.js';
import { constant } from '../nn/initialisers.js';
import { Variable } from '../nn/variable.js';
import { averagedState, averagingRate, ParameterAverage } from './average.js';

const scalar = (value: number) => ({ dtype: 'float32', shape: [], data: Float32Array.of(value) }) as const;

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
