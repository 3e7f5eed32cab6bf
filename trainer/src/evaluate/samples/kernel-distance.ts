// The kernel distance of two sets of features (KID: Bińkowski et al. 2018, sec. 4): unbiased however few the rows.
import { mean, standardError, variance } from '../summary.js';
import { type RowSet, rowGroups } from './row-set.js';

export interface KernelDistance {
  /** 0 but for chance, on either side of it, for sets of one distribution: within a few of its standard errors. */
  readonly distance: number;
  /** Standard deviation over the groups. */
  readonly spread: number;
  /**
   * Of the distance. Features of a classifier are large where it is sure, and the kernel cubes them, so that which rows a
   * group happens to hold moves its value by more than most other measures: a distance says nothing without its error.
   */
  readonly standardError: number;
}

const GROUPS = 10;
const LARGEST_GROUP = 1000;

/**
 * The mean over ten groups of at most 1,000 rows. Groups do not overlap, so that their spread says how sure the mean is;
 * the paper draws its 100 subsets with replacement, which at 10,000 rows sees the same rows again and again.
 */
export function kernelDistance(a: RowSet, b: RowSet): KernelDistance {
  const others = rowGroups(b, GROUPS, LARGEST_GROUP);
  const distances = rowGroups(a, GROUPS, LARGEST_GROUP).map((group, i) => unbiasedDiscrepancy(group, others[i]!));
  return {
    distance: mean(distances),
    spread: Math.sqrt(variance(distances)),
    standardError: standardError(distances),
  };
}

/** Squared maximum mean discrepancy, the unbiased estimate (Gretton et al. 2012, eq. 3). */
export function unbiasedDiscrepancy(a: RowSet, b: RowSet): number {
  return withinKernel(a) + withinKernel(b) - 2 * betweenKernel(a, b);
}

/** Mean over pairs of different rows. */
function withinKernel(rows: RowSet): number {
  let sum = 0;
  for (let i = 0; i < rows.count; i++) for (let j = 0; j < i; j++) sum += kernel(rows, i, rows, j);
  return (2 * sum) / (rows.count * (rows.count - 1));
}

function betweenKernel(a: RowSet, b: RowSet): number {
  let sum = 0;
  for (let i = 0; i < a.count; i++) for (let j = 0; j < b.count; j++) sum += kernel(a, i, b, j);
  return sum / (a.count * b.count);
}

/** (x . y / width + 1)^3 */
function kernel(a: RowSet, i: number, b: RowSet, j: number): number {
  const [aStart, bStart] = [i * a.width, j * b.width];
  let product = 0;
  for (let unit = 0; unit < a.width; unit++) product += a.data[aStart + unit]! * b.data[bStart + unit]!;
  return (product / a.width + 1) ** 3;
}
