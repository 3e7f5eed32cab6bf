// Likelihood of held-out data from an exported bundle alone: importance-weighted and evidence lower bounds with their parts.
import {
  type BundleGenerator,
  elbo,
  findOperation,
  float32,
  GenserveError,
  int32,
  iwae,
  type Manifest,
  OperationInputs,
  type StepRow,
  type Tensor,
} from '@genserve/runtime';
import { rowsInOrder } from '../data/batches.js';
import type { Split } from '../data/dataset.js';
import { mean, standardError } from './summary.js';

export interface LikelihoodEvaluation {
  /** Importance samples k; 1 for an exact likelihood. */
  readonly draws: number;
  readonly rows: number;
  readonly seed: number;
  /** Whether it is the likelihood given each row's label. */
  readonly conditional: boolean;
  /** By name, means over rows: nll_nats, nll_standard_error, bits_per_dim; and for a bound elbo_nats, kl_nats and reconstruction_nats with the same of their own. */
  readonly metrics: Readonly<Record<string, number>>;
}

export interface LikelihoodEvaluationOptions {
  readonly draws?: number | undefined;
  /** First rows of the split; all when absent. */
  readonly limit?: number | undefined;
  /** Of the binarisation and the importance samples; 0 when absent. */
  readonly seed?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

const ROWS_PER_CHUNK = 50;
/** Draws from which the KL and reconstruction terms are averaged. */
const DRAWS_OF_PARTS = 10;

/** -log p of the rows of a split, nats; the standard errors are over rows. */
export async function evaluateLikelihood(
  generator: BundleGenerator,
  split: Split,
  options: LikelihoodEvaluationOptions = {},
): Promise<LikelihoodEvaluation> {
  const { manifest } = generator;
  const { likelihood, domain } = manifest;
  if (!likelihood || !domain || likelihood.kind === 'none')
    throw new GenserveError('OPERATION_UNSUPPORTED', `${manifest.name} has no likelihood`);
  const bound = likelihood.kind === 'bound';
  const { seed = 0, signal } = options;
  const draws = bound ? (options.draws ?? 100) : 1;
  const rows = Math.min(options.limit ?? split.count, split.count);
  const byLabel = findOperation(manifest, 'log_prob').inputs.some(({ role }) => role === 'label');
  const hasMap = manifest.operations.some(({ name }) => name === 'log_prob_map');
  const nll: number[] = [];
  const negativeElbo: number[] = [];
  const reconstruction: number[] = [];
  const kl: number[] = [];
  let labelled = false;
  for (let first = 0; first < rows; first += ROWS_PER_CHUNK) {
    signal?.throwIfAborted();
    const count = Math.min(ROWS_PER_CHUNK, rows - first);
    const { data, labels, vectors } = await rowsInOrder(split, domain, { first, count, seed });
    labelled ||= labels?.some(label => label >= 0) ?? false;
    const given = { data: dataTensor(manifest, data, count), labels, vectors };
    const weights = await logWeights(generator, 'log_prob', given, draws, seed);
    for (const row of weights) {
      nll.push(-iwae(row).logProb);
      negativeElbo.push(-elbo(row).logProb);
    }
    if (bound && hasMap) {
      const parts = await logWeights(generator, 'log_prob_map', given, Math.min(draws, DRAWS_OF_PARTS), seed);
      parts.forEach((logLikelihoods, row) => {
        const local = -mean(logLikelihoods);
        reconstruction.push(local);
        kl.push(-mean(weights[row]!.subarray(0, logLikelihoods.length)) - local);
      });
    }
    options.onProgress?.(first + count, rows);
  }
  return {
    draws,
    rows,
    seed,
    conditional: byLabel && labelled,
    metrics: {
      nll_nats: mean(nll),
      nll_standard_error: standardError(nll),
      bits_per_dim: mean(nll) / (likelihood.dimensions * Math.LN2),
      ...(bound && { elbo_nats: mean(negativeElbo), elbo_standard_error: standardError(negativeElbo) }),
      ...(kl.length > 0 && {
        kl_nats: mean(kl),
        kl_standard_error: standardError(kl),
        reconstruction_nats: mean(reconstruction),
        reconstruction_standard_error: standardError(reconstruction),
      }),
    },
  };
}

/** Rows with what they are conditioned on: what the operation does not ask for is left out. */
interface Given {
  readonly data: Tensor;
  readonly labels?: Int32Array<ArrayBuffer> | undefined;
  readonly vectors?: Float32Array<ArrayBuffer> | undefined;
}

/** Sums of an operation's output for each row and draw, [rows][draws], with the noise that scoring uses (contract, section 3). */
async function logWeights(
  generator: BundleGenerator,
  name: string,
  { data, labels, vectors }: Given,
  draws: number,
  seed: number,
): Promise<Float64Array[]> {
  const { manifest, runner } = generator;
  const operation = findOperation(manifest, name);
  const rows = data.shape[0]!;
  const port = operation.inputs.find(({ role }) => role === 'data')!;
  const label = operation.inputs.find(({ role }) => role === 'label');
  const vector = operation.inputs.find(({ role }) => role === 'vector');
  const given = {
    [port.name]: data,
    ...(label && labels && { [label.name]: int32([rows], labels) }),
    ...(vector && vectors && { [vector.name]: float32([rows, ...vector.shape.slice(1)], vectors) }),
  };
  const inputs = new OperationInputs(manifest, operation, rows, given, seed);
  const output = operation.outputs[0]!.name;
  const steps: StepRow[] = Array.from({ length: rows * draws }, (_, i) => {
    return { index: i % rows, sample: 0, draw: Math.floor(i / rows) };
  });
  const result = Array.from({ length: rows }, () => new Float64Array(draws));
  const limit = Math.max(1, runner.rowsPerStep(name));
  for (let start = 0; start < steps.length; start += limit) {
    const part = steps.slice(start, start + limit);
    const { data: values } = (await runner.run(name, inputs.feeds(part)))[output]!;
    const size = values.length / part.length;
    part.forEach(({ index, draw }, i) => {
      let sum = 0;
      for (let j = i * size; j < (i + 1) * size; j++) sum += values[j]!;
      result[index]![draw] = sum;
    });
  }
  return result;
}

export function dataTensor(manifest: Manifest, data: Float32Array<ArrayBuffer>, count: number): Tensor {
  const port = findOperation(manifest, 'log_prob').inputs.find(({ role }) => role === 'data')!;
  return { dtype: 'float32', shape: [count, ...port.shape.slice(1)], data };
}
