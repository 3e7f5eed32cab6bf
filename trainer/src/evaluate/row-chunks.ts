// A split's first rows, some at a time: what measures that look at each row once have in common.
import type { Split } from '../data/dataset.js';

export interface RowOptions {
  /** First rows of the split; all when absent. */
  readonly limit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Calls `look` for each chunk in order, checking the signal before each and reporting after it. The rows looked at. */
export async function inRowChunks(
  split: Split,
  { limit = split.count, signal, onProgress }: RowOptions,
  rowsPerChunk: number,
  look: (chunk: { readonly first: number; readonly count: number }) => Promise<void>,
): Promise<number> {
  const rows = Math.min(limit, split.count);
  for (let first = 0; first < rows; first += rowsPerChunk) {
    signal?.throwIfAborted();
    const count = Math.min(rowsPerChunk, rows - first);
    await look({ first, count });
    onProgress?.(first + count, rows);
  }
  return rows;
}
