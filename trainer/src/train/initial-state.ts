// First values of all variables, drawn from the run's seed under each variable's own name.
import { NoiseStream } from '@genserve/runtime';
import type { State } from '../engine/program.js';
import type { SharedStream, Variable } from '../nn/variable.js';
import { averagedName } from '../optim/average.js';

/** An average starts from its parameter's own first value. */
export function initialState(variables: readonly Variable[], seed: number): State {
  const state: State = new Map();
  for (const { name, shape, initialise } of variables) {
    const stream = averagedName(name) ?? name;
    const known = state.get(stream);
    if (known) {
      state.set(name, known.slice());
      continue;
    }
    const size = shape.reduce((product, length) => product * length, 1);
    const draw = (distribution: 'normal' | 'uniform') => (shared?: SharedStream) => {
      const values = new Float32Array(shared?.length ?? size);
      new NoiseStream(seed, `initial/${shared?.name ?? stream}`, distribution).fill(values, 0);
      return values;
    };
    const values = initialise({ shape, normal: draw('normal'), uniform: draw('uniform') });
    if (values.length !== size)
      throw new Error(`the initialiser of ${name} gave ${values.length} numbers, not ${size}`);
    state.set(name, values);
  }
  return state;
}
