// What happens between the stages of a run.
import type { State } from '../engine/program.js';
import { averagedState } from '../optim/average.js';
import type { CompiledStage } from './run.js';

/** Gives the parameters of stages that are over the values that will be exported. Changes `state`. */
export function endStages(over: readonly CompiledStage[], state: State): void {
  const averaged = averagedState(state);
  for (const { steps } of over)
    for (const { spec } of steps)
      for (const { name } of spec.parameters) state.set(name, Float32Array.from(averaged.get(name)!));
}
