// Density of states: several statistics of a datum, each by how rare its value is among normal data.
import { perRow, type ScoreFormula } from './formula.js';

/** What a row of the table holds before its log-densities: least and greatest point of its grid, and bandwidth. */
const HEAD = 3;

/**
 * - sum over statistics of log q(t(x)), q a kernel density of normal data (Morningstar et al. 2021, "Density of states
 * estimation", eq. 3). The table has a row for each of the score's `statistics`: the ends of an even grid, the bandwidth of
 * the Gaussian kernel, and log q at the grid's points; beyond its ends the density falls as the kernel at the end does.
 */
export const fusion: ScoreFormula = {
  unit: 'nats',
  async compute(context) {
    const { statistics, tables } = context.score;
    const table = await context.table(tables[0] ?? '');
    const size = table.length / statistics.length;
    const total = perRow(context, () => 0);
    for (const [i, name] of statistics.entries()) {
      const values = await context.value(name);
      const density = table.subarray(i * size, (i + 1) * size);
      values.forEach((value, row) => {
        total[row] = total[row]! - logDensity(density, value);
      });
    }
    return total;
  },
};

/** log q of one value, by a row of the table. */
export function logDensity(row: Float64Array, value: number): number {
  const [least, greatest, bandwidth] = [row[0]!, row[1]!, row[2]!];
  const steps = row.length - HEAD - 1;
  const inside = Math.max(least, Math.min(greatest, value));
  const position = greatest > least ? ((inside - least) / (greatest - least)) * steps : 0;
  const cell = Math.min(steps - 1, Math.floor(position));
  const share = position - cell;
  const at = (i: number) => row[HEAD + i]!;
  // The grid ends where the kernel of the last datum is three bandwidths off.
  const beyond = Math.abs(value - inside) / bandwidth;
  return at(cell) * (1 - share) + at(cell + 1) * share - (beyond * beyond) / 2 - 3 * beyond;
}

/** A row of the table: the kernel density of `sample` (Silverman 1986, eq. 3.31) at `points` points. */
export function densityRow(sample: ArrayLike<number>, points = 256): Float64Array {
  const sorted = Float64Array.from(sample).sort();
  const bandwidth = silverman(sorted);
  const [least, greatest] = [sorted[0]! - 3 * bandwidth, sorted.at(-1)! + 3 * bandwidth];
  const normaliser = Math.log(sorted.length * bandwidth * Math.sqrt(2 * Math.PI));
  const logDensities = Array.from({ length: points }, (_, i) => {
    const at = least + ((greatest - least) * i) / (points - 1);
    const exponents = sorted.map(value => -0.5 * ((at - value) / bandwidth) ** 2);
    const most = exponents.reduce((a, b) => Math.max(a, b), -Infinity);
    return most + Math.log(exponents.reduce((sum, value) => sum + Math.exp(value - most), 0)) - normaliser;
  });
  return Float64Array.of(least, greatest, bandwidth, ...logDensities);
}

/** 0.9 min(deviation, interquartile range / 1.34) n^(-1/5), above 0. */
function silverman(sorted: Float64Array): number {
  const n = sorted.length;
  const mean = sorted.reduce((sum, value) => sum + value, 0) / n;
  const deviation = Math.sqrt(sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, n - 1));
  const quartiles = sorted[Math.floor(0.75 * (n - 1))]! - sorted[Math.floor(0.25 * (n - 1))]!;
  const spread = Math.min(deviation, quartiles / 1.34) || deviation;
  return Math.max(0.9 * spread * n ** -0.2, 1e-9 * Math.max(1, Math.abs(mean)));
}
