// The seam between training and what executes it: compiled (one ONNX graph on onnxruntime) or eager (any tfjs backend).
import type { Tensors } from '@genserve/runtime';
import type { Program, State } from './program.js';

export interface Executable {
  /**
   * Runs once at the batch size that it was compiled for. Reads variables from `state` and replaces those that the
   * program assigned. Returns the program's outputs.
   */
  run(feeds: Tensors, state: State): Promise<Tensors>;
  /** What was not finite first in such a run, for people; runs it again, piece by piece. Absent where it cannot be told. */
  firstNonFinite?(feeds: Tensors, state: State): Promise<string | undefined>;
  close(): Promise<void>;
}

export interface Engine {
  /** 'compiled' or 'eager', with the device, for logs and reports: "compiled/cpu (2 threads)". */
  readonly description: string;
  compile(program: Program, batch: number): Promise<Executable>;
}
