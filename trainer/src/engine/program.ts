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
  /** The same in two, where each row counts by itself: an engine may run parts of the batch side by side. */
  readonly parts?: RowParts | undefined;
}

/** Between them they take the inputs of the whole program and have its outputs. */
export interface RowParts {
  /** Its outputs are means over its rows. Assigns nothing. */
  readonly rows: Program;
  /** Takes means of `rows` over the whole batch, under the names that they have there, and assigns the state. */
  readonly merge: Program;
}

/** Values of variables by name. */
export type State = Map<string, Float32Array>;
