// Semi-supervised data: only some of the training rows keep their labels.
import { invalid } from '@genserve/runtime';
import { permutation } from './order.js';
import type { Store } from './store.js';

/** The rows with labels on `kept` of them, as many of each class as of any other, drawn by `seed`; the others have -1. */
export function keepLabels(store: Store, kept: number, classes: number, seed: number): Store {
  const { labels } = store;
  if (!labels || classes === 0) throw invalid('data.labelled', 'these data have no labels to keep');
  if (kept < classes) throw invalid('data.labelled', `must be ${classes} at least, one for each class, was ${kept}`);
  const left = Array.from({ length: classes }, (_, label) => Math.floor((kept + label) / classes));
  const known = new Int32Array(labels.length).fill(-1);
  for (const row of permutation(labels.length, seed, 'labelled')) {
    const label = labels[row]!;
    if (label < 0 || left[label]! === 0) continue;
    left[label] = left[label]! - 1;
    known[row] = label;
  }
  return {
    ...store,
    labels: known,
    read: async indices => ({ ...(await store.read(indices)), labels: Int32Array.from(indices, i => known[i]!) }),
  };
}
