// The Inception score (Salimans et al. 2016, sec. 4) of a classifier of one's own.
import { mean, variance } from '../summary.js';
import { type RowSet, rowGroups } from './row-set.js';

export interface ClassifierScore {
  /** From 1 to the number of classes: the mean over the groups. */
  readonly score: number;
  /** Standard deviation over the groups. */
  readonly spread: number;
}

const GROUPS = 10;

/** exp E KL(p(y|x) || p(y)) of logits [count, classes], in ten groups of rows, each with its own p(y). */
export function classifierScore(logits: RowSet): ClassifierScore {
  const scores = rowGroups(logits, GROUPS).map(groupScore);
  return { score: mean(scores), spread: Math.sqrt(variance(scores)) };
}

function groupScore({ count, width, data }: RowSet): number {
  const rows = Array.from({ length: count }, (_, row) => softmax(data.subarray(row * width, (row + 1) * width)));
  const marginal = Array.from({ length: width }, (_, label) => mean(rows.map(row => row[label]!)));
  const divergence = (row: Float64Array) =>
    row.reduce((sum, p, label) => sum + (p > 0 ? p * Math.log(p / marginal[label]!) : 0), 0);
  return Math.exp(mean(rows.map(divergence)));
}

function softmax(logits: Float32Array): Float64Array {
  const greatest = Math.max(...logits);
  const weights = Float64Array.from(logits, value => Math.exp(value - greatest));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map(weight => weight / total);
}
