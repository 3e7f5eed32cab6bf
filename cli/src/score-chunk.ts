// A few rows of `genserve score`: from data to lines of its file.
import type { BundleGenerator, Decision, Tensor } from '@genserve/runtime';

/** A line of JSON in parts of a score file. */
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

export interface Chunk {
  /** Number of the first row. */
  readonly first: number;
  /** [count, ...domain]; may be transferred, and is of no use afterwards. */
  readonly data: Tensor;
  /** One per row. */
  readonly names?: readonly string[] | undefined;
  readonly labels?: readonly (string | undefined)[] | undefined;
}

/** How many rows were decided how by the first score, and the sum of -log p, NaN where the model has no likelihood. */
export interface Summary {
  readonly rows: number;
  readonly nats: number;
  readonly decisions: Readonly<Record<Decision, number>>;
}

export interface ScoredChunk {
  /** A `ScoredRow` each, as JSON, ended by a newline. */
  readonly lines: string;
  readonly summary: Summary;
}

export type ScoreChunk = (chunk: Chunk) => Promise<ScoredChunk>;

export interface ScoreChunkOptions {
  /** Names of scores; the recommended one when absent. */
  readonly scores?: readonly string[] | undefined;
  /** Accepted rate of false alarms. */
  readonly alpha: number;
  /** Importance samples of the likelihood; those of the score when absent. */
  readonly draws?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const likelihoodScore = 'negative-log-likelihood';

export async function scoreChunk(
  generator: BundleGenerator,
  { first, data, names, labels }: Chunk,
  { scores, alpha, draws, signal }: ScoreChunkOptions,
): Promise<ScoredChunk> {
  const { likelihood, scores: known } = generator.manifest;
  const anomalies = known.length > 0 ? await generator.anomaly(data, { scores, alpha, draws, signal }) : undefined;
  // That score is the likelihood with its sign turned: it need not be computed twice.
  const negative = anomalies?.map(({ scores: found }) => found.find(({ name }) => name === likelihoodScore)?.value);
  const hasLikelihood = likelihood !== undefined && likelihood.kind !== 'none';
  const logProbs =
    hasLikelihood && negative?.[0] === undefined
      ? (await generator.logLikelihood(data, { draws, signal })).logProb
      : negative?.map(value => -value!);
  const rows = Array.from({ length: data.shape[0]! }, (_, i): ScoredRow => {
    const logProb = hasLikelihood ? logProbs?.[i] : undefined;
    return {
      row: first + i,
      name: names?.[i],
      label: labels?.[i],
      log_prob: logProb,
      bits_per_dim: logProb === undefined ? undefined : -logProb / (likelihood!.dimensions * Math.LN2),
      scores: Object.fromEntries(
        (anomalies?.[i]?.scores ?? []).map(({ name, value, pValue, decision }) => {
          return [name, { value, p_value: pValue, decision }];
        }),
      ),
    };
  });
  return { lines: rows.map(row => `${JSON.stringify(row)}\n`).join(''), summary: rows.map(summaryOf).reduce(together) };
}

export const nothing: Summary = { rows: 0, nats: 0, decisions: { normal: 0, anomalous: 0, unsure: 0 } };

export function summaryOf({ log_prob, scores }: ScoredRow): Summary {
  const [first] = Object.values(scores);
  const decisions = first ? { ...nothing.decisions, [first.decision]: 1 } : nothing.decisions;
  return { rows: 1, nats: -(log_prob ?? Number.NaN), decisions };
}

export function together(a: Summary, b: Summary): Summary {
  const of = (decision: Decision) => a.decisions[decision] + b.decisions[decision];
  const decisions = { normal: of('normal'), anomalous: of('anomalous'), unsure: of('unsure') };
  return { rows: a.rows + b.rows, nats: a.nats + b.nats, decisions };
}
