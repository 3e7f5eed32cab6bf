// Scores of what a network makes of a datum: its reconstruction, its features, its discriminator's opinion.
import { perRow, rowOf, type ScoreContext, type ScoreFormula } from './formula.js';

/** Sum of squared differences between a datum and its reconstruction. */
export const reconstructionError: ScoreFormula = {
  unit: 'squared difference',
  async compute(context) {
    const reconstruction = await context.output(context.score.operations[0] ?? 'reconstruct');
    return perRow(context, row => squaredDistance(rowOf(context.data, row), rowOf(reconstruction, row)));
  },
};

/** The discriminator's score with its sign turned: critics are high for real data. */
export const discriminator: ScoreFormula = {
  unit: 'logits',
  async compute(context) {
    const scores = await context.output(context.score.operations[0] ?? 'critic');
    return perRow(context, row => -rowOf(scores, row)[0]!);
  },
};

/**
 * |W (f - mean)|: the distance of Mahalanobis 1936 of the features (or the code) from those of normal data (Lee et al.
 * 2018, without classes). The table is [1 + d, d]: the mean, then W with W^T W = covariance^-1.
 */
export const mahalanobis: ScoreFormula = {
  unit: 'standard deviations',
  async compute(context) {
    const [features, table] = await featuresAndTable(context);
    const size = features.data.length / features.shape[0]!;
    return perRow(context, row => {
      const centred = rowOf(features, row).map((value, i) => value - table[i]!);
      let sum = 0;
      for (let start = size; start < table.length; start += size) {
        let whitened = 0;
        for (let i = 0; i < size; i++) whitened += table[start + i]! * centred[i]!;
        sum += whitened ** 2;
      }
      return Math.sqrt(sum);
    });
  },
};

/** Distance to the k-th nearest of the features of normal data, table [n, d] (Sun et al. 2022); parameter `k`. */
export const nearestNeighbours: ScoreFormula = {
  unit: 'distance',
  async compute(context) {
    const { k = 1 } = context.score.parameters;
    return (await squaredNeighbourDistances(context, k)).map(Math.sqrt);
  },
};

/** To the k-th nearest of the rows of the score's table, of each row's features; Infinity where it has fewer than k. */
export async function squaredNeighbourDistances(context: ScoreContext, k: number): Promise<Float64Array> {
  const [features, table] = await featuresAndTable(context);
  const { operations, tables } = context.score;
  const rows = features.shape[0]!;
  const bank = bankOf(table, features.data.length / rows);
  // Looked for once, as many as any score asks for.
  const most = Math.max(...context.manifest.scores.map(({ parameters }) => parameters.k ?? 1));
  const nearest = context.shared(`nearest ${operations[0]} ${tables[0]}`, () =>
    Array.from({ length: rows }, (_, row) => leastDistances(rowOf(features, row), bank, most)),
  );
  return perRow(context, row => nearest[row]![k - 1]!);
}

/** A table's rows, their columns in order of falling variance. */
interface Bank {
  readonly columns: readonly number[];
  readonly values: Float64Array;
}

const banks = new WeakMap<Float64Array, Bank>();

/** Of a table, made when it is first searched: a distance that begins with what varies most is soonest known to be too great. */
function bankOf(table: Float64Array, size: number): Bank {
  const known = banks.get(table);
  if (known) return known;
  const variances = new Float64Array(size).map((_, column) => {
    let [sum, squares] = [0, 0];
    for (let i = column; i < table.length; i += size) {
      sum += table[i]!;
      squares += table[i]! ** 2;
    }
    return squares - (sum * sum * size) / table.length;
  });
  const columns = [...variances.keys()].sort((a, b) => variances[b]! - variances[a]!);
  const values = table.map((_, i) => table[i - (i % size) + columns[i % size]!]!);
  const bank = { columns, values };
  banks.set(table, bank);
  return bank;
}

/** Columns between two looks at whether a distance is too great already. */
const STRIDE = 8;

/** The `count` least squared distances of a feature from the rows of a bank, ascending. */
function leastDistances(row: ArrayLike<number>, { columns, values }: Bank, count: number): Float64Array {
  const size = columns.length;
  const feature = Float64Array.from(columns, column => row[column]!);
  const nearest = new Float64Array(count).fill(Infinity);
  for (let start = 0; start < values.length; start += size) {
    let place = count - 1;
    const farthest = nearest[place]!;
    let distance = 0;
    for (let i = 0; i < size && distance < farthest; ) {
      const end = Math.min(i + STRIDE, size);
      for (; i < end; i++) distance += (feature[i]! - values[start + i]!) ** 2;
    }
    if (distance >= farthest) continue;
    for (; place > 0 && nearest[place - 1]! > distance; place--) nearest[place] = nearest[place - 1]!;
    nearest[place] = distance;
  }
  return nearest;
}

async function featuresAndTable(context: ScoreContext) {
  const [operation = 'features'] = context.score.operations;
  return [await context.output(operation), await context.table(context.score.tables[0] ?? '')] as const;
}

function squaredDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum;
}
