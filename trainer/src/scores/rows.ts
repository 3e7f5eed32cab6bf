// Views on some rows of a split, taken from all over it: sources may be sorted by class.
import type { Split } from '../data/dataset.js';
import { floatStore } from '../data/store.js';

/** `count` rows at even distances; the split itself where it has no more. */
export function spread(split: Split, count: number): Split {
  return split.count <= count ? split : view(split, evenly(split.count, count));
}

/** `count` rows at even distances, and the others. */
export function partition(split: Split, count: number): { readonly part: Split; readonly rest: Split } {
  const chosen = new Set(evenly(split.count, Math.min(count, split.count)));
  const others = Array.from({ length: split.count }, (_, row) => row).filter(row => !chosen.has(row));
  return { part: spread(split, count), rest: view(split, others) };
}

/** The rows that `keep` keeps by their class, -1 for none. Reads the whole split once. */
export async function filterByLabel(split: Split, keep: (label: number) => boolean): Promise<Split> {
  const rows: number[] = [];
  for (let first = 0; first < split.count; first += 1000) {
    const indices = Array.from({ length: Math.min(1000, split.count - first) }, (_, i) => first + i);
    const { labels } = await split.read(indices);
    for (const [i, row] of indices.entries()) if (keep(labels?.[i] ?? -1)) rows.push(row);
  }
  return view(split, rows);
}

function evenly(total: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => Math.floor((i * total) / count));
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
