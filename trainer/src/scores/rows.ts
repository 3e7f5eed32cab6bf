// Views on some rows of a split, taken from all over it.
import type { Split } from '../data/dataset.js';
import { permutation } from '../data/order.js';
import { floatStore } from '../data/store.js';

/** `count` rows, drawn; the split itself where it has no more. */
export function spread(split: Split, count: number): Split {
  return split.count <= count ? split : view(split, drawn(split.count, count));
}

/** `count` rows, drawn, and the others. */
export function partition(split: Split, count: number): { readonly part: Split; readonly rest: Split } {
  const chosen = new Set(drawn(split.count, Math.min(count, split.count)));
  const others = Array.from({ length: split.count }, (_, row) => row).filter(row => !chosen.has(row));
  return { part: spread(split, count), rest: view(split, others) };
}

/** The same ones every time, in order: a draw, as rows may be in order of class, or take turns. */
function drawn(total: number, count: number): number[] {
  return [...permutation(total, 0, 'rows').subarray(0, count).sort()];
}

function view(split: Split, rows: readonly number[]): Split {
  return {
    count: rows.length,
    read: indices => split.read(indices.map(index => rows[index]!)),
    ...(split.nameOf && { nameOf: (index: number) => split.nameOf!(rows[index]!) }),
  };
}

/** Rows that are in memory already. */
export function memorySplit(rows: Float32Array<ArrayBuffer>, count: number): Split {
  return floatStore(rows, rows.length / count);
}
