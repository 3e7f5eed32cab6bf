// What a formula of an anomaly score is, and what it may ask of the model.
import type { Score } from '@genserve/proto/manifest';
import type { Manifest } from '../manifest.js';
import type { Tensor } from '../tensor.js';

/** Everything is of the same rows, with the draws and the seed of one score. */
export interface ScoreContext {
  readonly manifest: Manifest;
  readonly score: Score;
  /** Rows [count, ...domain], at the domain's quantisation levels. */
  readonly data: Tensor;
  /** Nats, [rows][draws]: an operation's log_prob, or its map summed over the pixels. */
  logWeights(operation: string): Promise<readonly Float64Array[]>;
  /** The first output of an operation, with the noise of the first draw. */
  output(operation: string): Promise<Tensor>;
  /** A table of the bundle, row-major. */
  table(path: string): Promise<Float64Array>;
  /** What several scores make of `data`: made once. */
  shared<T>(key: string, make: () => T): T;
  /** Another score of this manifest, with its own draws and seed. */
  value(score: string): Promise<Float64Array>;
}

/** One number per row; higher = more anomalous. */
export interface ScoreFormula {
  readonly unit: string;
  compute(context: ScoreContext): Promise<Float64Array>;
}

/** `of(row)` for rows 0 ... count-1 of the data. */
export function perRow({ data }: ScoreContext, of: (row: number) => number): Float64Array {
  return Float64Array.from({ length: data.shape[0]! }, (_, row) => of(row));
}

/** Numbers of one row of a tensor, as a view. */
export function rowOf({ shape, data }: Tensor, row: number): Tensor['data'] {
  const size = data.length / shape[0]!;
  return data.subarray(row * size, (row + 1) * size);
}
