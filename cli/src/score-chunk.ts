// A few rows of `genserve score`: from data to lines of its file.
import {
  type BundleGenerator,
  type Decision,
  float32,
  labelNames,
  type Manifest,
  recommendedScore,
  type Tensor,
} from '@genserve/runtime';
import { labelledScores } from '@genserve/trainer/scores';

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
  /** The same scores for every row; one that uses labels has no value, and is unsure, where the row has no class of the model's. */
  readonly scores: Readonly<
    Record<string, { value?: number | undefined; p_value?: number | undefined; decision: Decision }>
  >;
}

export interface Chunk {
  /** Number of the first row. */
  readonly first: number;
  /** [count, ...domain]: the shape of its rows, and what they hold; may be transferred, and comes back in the answer. */
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
  /** One per row. */
  readonly names?: readonly string[] | undefined;
  readonly labels?: readonly (string | undefined)[] | undefined;
}

/** How many rows were decided how by the first score, and the sum of -log p, NaN where the model has no likelihood. */
export interface Summary {
  rows: number;
  nats: number;
  readonly decisions: Record<Decision, number>;
}

export interface ScoredChunk {
  /** A `ScoredRow` each, as JSON, ended by a newline. */
  readonly lines: string;
  readonly summary: Summary;
  /** The array that the chunk's rows came in, for others: a new one takes longer to make than to fill. */
  readonly spare: Float32Array<ArrayBuffer>;
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
  { first, shape, data: values, names, labels }: Chunk,
  options: ScoreChunkOptions,
): Promise<ScoredChunk> {
  const { draws, signal } = options;
  const data = float32(shape, values);
  const { likelihood, scores: known } = generator.manifest;
  const anomalies = known.length > 0 ? await anomaliesOf(generator, data, labels, options) : undefined;
  // That score is the likelihood with its sign turned: it need not be computed twice.
  const negative = anomalies?.map(scores => scores[likelihoodScore]?.value);
  const hasLikelihood = likelihood !== undefined && likelihood.kind !== 'none';
  const logProbs =
    hasLikelihood && negative?.[0] === undefined
      ? (await generator.logLikelihood(data, { draws, signal })).logProb
      : negative?.map(value => -value!);
  const summary = nothing();
  let lines = '';
  for (let i = 0; i < shape[0]!; i++) {
    const logProb = hasLikelihood ? logProbs?.[i] : undefined;
    const row: ScoredRow = {
      row: first + i,
      name: names?.[i],
      label: labels?.[i],
      log_prob: logProb,
      bits_per_dim: logProb === undefined ? undefined : -logProb / (likelihood!.dimensions * Math.LN2),
      scores: anomalies?.[i] ?? {},
    };
    count(summary, row);
    lines += `${JSON.stringify(row)}\n`;
  }
  return { lines, summary, spare: values };
}

/** By name in the order in which they were asked for, of each row. */
async function anomaliesOf(
  generator: BundleGenerator,
  data: Tensor,
  labels: Chunk['labels'],
  { scores, ...options }: ScoreChunkOptions,
): Promise<ScoredRow['scores'][]> {
  const { manifest } = generator;
  const names = scores ?? [recommendedScore(manifest)!.name]; // there is one where there are any
  const found = await labelledScores(generator, data, classesOf(manifest, labels), { ...options, scores: names });
  return found.map(row =>
    Object.fromEntries(
      names.map(name => {
        const { value, pValue, decision = 'unsure' } = row.get(name) ?? {};
        return [name, { value, p_value: pValue, decision }];
      }),
    ),
  );
}

/** The model's number of the class that each row states, -1 for none. */
function classesOf(manifest: Manifest, labels: Chunk['labels'] = []): number[] {
  const names = labelNames(manifest);
  return labels.map(label => (label === undefined ? -1 : names.indexOf(label)));
}

/** Of no rows. */
export function nothing(): Summary {
  return { rows: 0, nats: 0, decisions: { normal: 0, anomalous: 0, unsure: 0 } };
}

/** Adds a row to a summary. */
export function count(summary: Summary, { log_prob, scores }: ScoredRow): void {
  const [first] = Object.values(scores);
  summary.rows++;
  summary.nats -= log_prob ?? Number.NaN;
  if (first) summary.decisions[first.decision]++;
}

/** Adds one summary to another. */
export function add(summary: Summary, { rows, nats, decisions }: Summary): void {
  summary.rows += rows;
  summary.nats += nats;
  for (const decision of ['normal', 'anomalous', 'unsure'] as const) summary.decisions[decision] += decisions[decision];
}
