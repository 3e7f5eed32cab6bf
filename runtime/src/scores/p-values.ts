// From scores to what people act on: p-values against normal data, decisions, and tests of many rows together.
import type { Anomaly, Decision } from '../generator.js';
import type { Manifest } from '../manifest.js';

/**
 * Share of normal data at least this anomalous, (1 + #{s_i >= s}) / (n + 1): valid at every level for exchangeable
 * data (Phipson & Smyth 2010; the split-conformal p-value of Vovk et al. 2005). `table` is sorted ascending.
 */
export function pValue(table: ArrayLike<number>, score: number): number {
  let low = 0;
  let high = table.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (table[middle]! < score) low = middle + 1;
    else high = middle;
  }
  return (1 + table.length - low) / (table.length + 1);
}

/** 'unsure' where there is no p-value, or where the table is too small for any to reach `alpha`. */
export function decide(p: number | undefined, alpha: number, tableSize: number): Decision {
  if (p === undefined || 1 / (tableSize + 1) > alpha) return 'unsure';
  return p <= alpha ? 'anomalous' : 'normal';
}

/**
 * Adjusted p-values (Benjamini & Hochberg 1995): calling those up to alpha anomalous, a share of at most alpha of the calls
 * is expected to be of normal rows. Holds for conformal p-values too (Bates et al. 2023, theorem 2).
 */
export function benjaminiHochberg(pValues: readonly number[]): number[] {
  const order = [...pValues.keys()].sort((a, b) => pValues[b]! - pValues[a]!);
  const adjusted = new Array<number>(pValues.length);
  let least = 1;
  order.forEach((row, i) => {
    least = Math.min(least, (pValues[row]! * pValues.length) / (pValues.length - i));
    adjusted[row] = least;
  });
  return adjusted;
}

export interface DriftTest {
  /** Greatest distance between the distribution functions of the rows' and the calibration's scores, 0 to 1. */
  readonly statistic: number;
  /** Chance of such a distance, or a greater one, between as many rows of normal data and the calibration. */
  readonly pValue: number;
}

/**
 * Whether rows as a whole are like normal data: the two-sample test of Kolmogorov and Smirnov (asymptotic; Stephens 1970)
 * on the rows' p-values, which tell the rank of each score among the calibration's `count`. Shifts to either side count.
 */
export function driftTest(pValues: readonly number[], count: number): DriftTest {
  const rows = pValues.length;
  // Calibration scores below each row's: n - #{s_i >= s}.
  const ranks = pValues.map(p => count + 1 - Math.round(p * (count + 1))).sort((a, b) => a - b);
  const statistic = ranks.reduce((most, rank, i) => {
    const below = rank / count;
    return Math.max(most, Math.abs(below - i / rows), Math.abs((i + 1) / rows - below));
  }, 0);
  const size = Math.sqrt((rows * count) / (rows + count));
  return { statistic, pValue: kolmogorov((size + 0.12 + 0.11 / size) * statistic) };
}

export interface Drift extends DriftTest {
  /** Name of the score. */
  readonly score: string;
  readonly decision: Decision;
  readonly rows: number;
}

/** The test for each score of rows that were scored in one call; 'unsure' where they have no p-values of one table. */
export function driftsOf(anomalies: readonly Anomaly[], { scores }: Manifest, alpha = 0.05): Drift[] {
  return (anomalies[0]?.scores ?? []).map(({ name }, i): Drift => {
    const { count = 0 } = scores.find(score => score.name === name)?.calibration ?? {};
    const pValues = anomalies.map(({ scores: found }) => found[i]!.pValue).filter(p => p !== undefined);
    const rows = anomalies.length;
    if (count === 0 || pValues.length < rows) return { score: name, statistic: 0, pValue: 1, decision: 'unsure', rows };
    const test = driftTest(pValues, count);
    return { score: name, ...test, decision: test.pValue <= alpha ? 'anomalous' : 'normal', rows };
  });
}

/** P(K > x) = 2 sum over j of (-1)^(j-1) exp(-2 j^2 x^2) (Kolmogorov 1933). */
function kolmogorov(x: number): number {
  if (x < 0.2) return 1;
  let sum = 0;
  for (let j = 1; j <= 100; j++) sum += (j % 2 === 1 ? 2 : -2) * Math.exp(-2 * j * j * x * x);
  return Math.min(1, Math.max(0, sum));
}
