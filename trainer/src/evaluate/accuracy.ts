// How often a bundle's `classify` is right.
import { type BundleGenerator, findOperation, GenserveError } from '@genserve/runtime';
import { rowsInOrder } from '../data/batches.js';
import type { Split } from '../data/dataset.js';
import { outputRows } from './operation-rows.js';
import { inRowChunks, type RowOptions } from './row-chunks.js';

export interface Accuracy {
  readonly rows: number;
  /** Rows that bear a label; the others say nothing. */
  readonly labelled: number;
  /** accuracy, and accuracy.<label> of the rows of each class: shares, 0 to 1. */
  readonly metrics: Readonly<Record<string, number>>;
}

const ROWS_PER_CHUNK = 200;

/** Throws OPERATION_UNSUPPORTED where the bundle has no `classify`, INVALID_ARGUMENT where no row has a label. */
export async function evaluateAccuracy(
  generator: BundleGenerator,
  split: Split,
  options: RowOptions = {},
): Promise<Accuracy> {
  const { manifest } = generator;
  findOperation(manifest, 'classify');
  const right = new Map<number, boolean[]>();
  const rows = await inRowChunks(split, options, ROWS_PER_CHUNK, async ({ first, count }) => {
    const { data, labels } = await rowsInOrder(split, manifest.domain!, { first, count, seed: 0 });
    const { data: logits } = await outputRows(
      generator,
      { name: 'classify', role: 'logits' },
      data,
      count,
      options.signal,
    );
    const classes = logits.length / count;
    labels?.forEach((label, row) => {
      if (label < 0) return;
      const answers = Array.from(logits.subarray(row * classes, (row + 1) * classes));
      right.set(label, [...(right.get(label) ?? []), answers.indexOf(Math.max(...answers)) === label]);
    });
  });
  const all = [...right.values()].flat();
  if (all.length === 0)
    throw new GenserveError('INVALID_ARGUMENT', 'data: no row has a label to compare with', { field: 'data' });
  const share = (hits: readonly boolean[]) => hits.filter(Boolean).length / hits.length;
  const names = manifest.domain?.image?.labels ?? [];
  const perClass = [...right].sort(([a], [b]) => a - b);
  return {
    rows,
    labelled: all.length,
    metrics: {
      accuracy: share(all),
      ...Object.fromEntries(perClass.map(([label, hits]) => [`accuracy.${names[label] ?? label}`, share(hits)])),
    },
  };
}
