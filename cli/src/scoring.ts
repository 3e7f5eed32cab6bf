// Likelihood and anomaly scores of a whole set, row by row, in memory that does not grow with it.
import type { BundleGenerator, Decision, Tensor } from '@genserve/runtime';
import type { Split } from '@genserve/trainer';

export interface ScoredRow {
  readonly row: number;
  /** File of an image, where rows have names. */
  readonly name?: string | undefined;
  /** Class that the data state. */
  readonly label?: string | undefined;
  /** Nats. */
  readonly log_prob?: number | undefined;
  readonly bits_per_dim?: number | undefined;
  readonly scores: Readonly<Record<string, { value: number; p_value?: number | undefined; decision: Decision }>>;
}

export interface ScoringOptions {
  /** Names of scores; the recommended one when absent. */
  readonly scores?: readonly string[] | undefined;
  /** Accepted rate of false alarms. */
  readonly alpha: number;
  /** Importance samples of the likelihood; those of the score when absent. */
  readonly draws?: number | undefined;
  /** Rows from `first` up to and without `end`. */
  readonly first: number;
  readonly end: number;
  readonly labels: readonly string[];
  readonly signal: AbortSignal;
}

/** A divisor of the rows of a part of a score file. */
const rowsAtOnce = 256;
const likelihoodScore = 'negative-log-likelihood';

export async function* scoreRows(
  generator: BundleGenerator,
  split: Split,
  shape: readonly number[],
  options: ScoringOptions,
): AsyncGenerator<ScoredRow[]> {
  const { manifest } = generator;
  const { signal, alpha, scores, draws } = options;
  const hasLikelihood = manifest.likelihood !== undefined && manifest.likelihood.kind !== 'none';
  const { end } = options;
  for (let { first } = options; first < end; first += rowsAtOnce) {
    const indices = Array.from({ length: Math.min(rowsAtOnce, end - first) }, (_, i) => first + i);
    const { data, labels } = await split.read(indices);
    const rows: Tensor = { dtype: 'float32', shape: [indices.length, ...shape], data };
    const anomalies =
      manifest.scores.length > 0 ? await generator.anomaly(rows, { scores, alpha, draws, signal }) : undefined;
    // That score is the likelihood with its sign turned: it need not be computed twice.
    const known = anomalies?.map(({ scores: found }) => found.find(({ name }) => name === likelihoodScore));
    const likelihoods =
      hasLikelihood && !known?.every(score => score !== undefined)
        ? (await generator.logLikelihood(rows, { draws, signal })).logProb
        : known?.map(score => -score!.value);
    yield indices.map((row, i): ScoredRow => {
      const logProb = likelihoods?.[i];
      const label = labels && labels[i]! >= 0 ? (options.labels[labels[i]!] ?? String(labels[i])) : undefined;
      return {
        row,
        name: split.nameOf?.(row),
        label,
        log_prob: logProb,
        bits_per_dim: logProb === undefined ? undefined : -logProb / (manifest.likelihood!.dimensions * Math.LN2),
        scores: Object.fromEntries(
          (anomalies?.[i]?.scores ?? []).map(({ name, value, pValue, decision }) => {
            return [name, { value, p_value: pValue, decision }];
          }),
        ),
      };
    });
  }
}
