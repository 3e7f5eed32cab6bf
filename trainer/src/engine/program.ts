// What an engine executes: ordinary tfjs code over named inputs and variables. A training step and a served
// operation are both programs.
import type { DataType } from '@genserve/runtime';
import type { Tensor } from '@tensorflow/tfjs';
import type { Variable } from '../nn/variable.js';

export interface ProgramInput {
  readonly name: string;
  readonly dtype: DataType;
  /** 'batch' may stand at dimension 0 only. */
  readonly shape: readonly (number | 'batch')[];
}

export interface Program {
  readonly name: string;
  readonly inputs: readonly ProgramInput[];
  /** Every variable that `run` reads or assigns. */
  readonly state: readonly Variable[];
  /** Pure but for `Variable.assign`. Draws no random numbers, reads no data back (`dataSync` throws while recording). */
  run(inputs: Readonly<Record<string, Tensor>>): Record<string, Tensor>;
}

/** Values of variables by name. */
export type State = Map<string, Float32Array>;
