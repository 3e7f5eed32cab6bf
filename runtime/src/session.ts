// The seam to ONNX Runtime. Three source files import it: the trainer's engine, the server's executor, the SDK's worker.
import type { Tensors } from './tensor.js';

export interface RunOptions {
  /** Checked before the run starts; a run that has started cannot be stopped (the owner of the process may end it). */
  readonly signal?: AbortSignal | undefined;
  /** Names of the outputs that are wanted, all when absent: a hint, for where the others would have to travel. */
  readonly outputs?: readonly string[] | undefined;
}

/** One graph, ready to run. */
export interface Session {
  /** Runs the graph once. All of the graph's inputs are given; its outputs come back, at least those that are wanted. */
  run(feeds: Tensors, options?: RunOptions): Promise<Tensors>;
  close(): Promise<void>;
}

/**
 * Runs a bundle's operations; sessions are made on first use behind it. `feeds` are complete (see `ports.ts`) and
 * carry the same number of rows in every batch port. The server's scheduler, the SDK's worker and a plain set of
 * sessions are all Runners, so that the verbs of `BundleGenerator` are written once.
 */
export interface Runner {
  /**
   * `operation` is the name of one, or "name#i" for member i of a class-split ensemble: `Bundle.graph` knows both.
   * The arrays of `feeds` belong to the run: they may be transferred. State that a run ends with comes back where it drew
   * a slice, and where it is asked for by name; else it may be missing.
   */
  run(operation: string, feeds: Tensors, options?: RunOptions): Promise<Tensors>;
  /**
   * Most rows that one `run` of this operation should hold, so that a step stays near 250 ms. Below 1 it is the share
   * of one picture, for resumable graphs whose pictures take longer (contract, section 4).
   */
  rowsPerStep(operation: string): number;
  close(): Promise<void>;
}
