// Anomaly scores: a closed list of formulas, each one function, and their calibration into p-values and decisions
// (contract, section 8). Higher = more anomalous for every formula.
import type { Score } from '@genserve/proto/manifest';
import type { Formula } from './formulas.js';
import type { Decision } from './generator.js';
import type { Tensor } from './tensor.js';

/** What a formula may ask of the model, for the rows and with the draws and seed of one score. */
export interface ScoreContext {
  readonly score: Score;
  /** Rows [count, ...domain], at the domain's quantisation levels. */
  readonly data: Tensor;
  /** Nats per row: log-mean-exp over the draws of an operation that returns log_prob. */
  logProb(operation: string): Promise<Float64Array>;
  /** The first output of this role that an operation gives for the rows, with the first draw. */
  output(operation: string, role: string): Promise<Tensor>;
}

export interface ScoreFormula {
  readonly unit: string;
  /** One number per row. */
  compute(context: ScoreContext): Promise<Float64Array>;
}

/** Bishop 1994, "Novelty detection and neural network validation": improbable under the model. */
const negativeLogLikelihood: ScoreFormula = {
  unit: 'nats',
  async compute({ score, logProb }) {
    return (await logProb(score.operations[0] ?? 'log_prob')).map(value => -value);
  },
};

/** Sum of squared differences between a datum and its reconstruction. */
const reconstructionError: ScoreFormula = {
  unit: 'squared difference',
  async compute({ score, data, output }) {
    const reconstruction = await output(score.operations[0] ?? 'reconstruct', 'data');
    const rows = data.shape[0]!;
    const size = data.data.length / rows;
    return Float64Array.from({ length: rows }, (_, row) => {
      let sum = 0;
      for (let i = row * size; i < (row + 1) * size; i++) sum += (data.data[i]! - reconstruction.data[i]!) ** 2;
      return sum;
    });
  },
};

/** What computes each formula of a manifest. */
export const SCORES: Readonly<Record<Formula, ScoreFormula>> = {
  'negative-log-likelihood': negativeLogLikelihood,
  'reconstruction-error': reconstructionError,
};

/**
 * Share of normal data at least this anomalous, (1 + #{s_i >= s}) / (n + 1): valid at every level for exchangeable
 * data (Phipson & Smyth 2010). `table` is sorted ascending.
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
