// Likelihoods of given data, estimated from the log-weights of many draws. Loaded when a model is first asked for one.
import type { Operation } from '@genserve/proto/manifest';
import { type Calls, outputOf, rowsOf } from './calls.js';
import { GenserveError, invalid } from './errors.js';
import { elbo, iwae } from './estimators.js';
import type { CallOptions, LikelihoodOptions, Likelihoods } from './generator.js';
import { findOperation } from './manifest.js';
import { checkCount } from './ports.js';
import type { Tensor, Tensors } from './tensor.js';

/** `Generator.logLikelihood`. */
export async function logLikelihood(calls: Calls, data: Tensor, options: LikelihoodOptions): Promise<Likelihoods> {
  const { manifest } = calls;
  const { kind, dimensions } = manifest.likelihood ?? { kind: 'none', dimensions: 0 };
  if (kind === 'none') throw new GenserveError('OPERATION_UNSUPPORTED', `${manifest.name} has no likelihood`);
  const bound = kind === 'bound';
  const { seed = 0 } = options;
  if (options.estimator !== undefined && !['elbo', 'iwae'].includes(options.estimator))
    throw invalid('estimator', `must be elbo or iwae, was ${options.estimator}`);
  const estimator = bound ? (options.estimator ?? 'iwae') : 'exact';
  const draws = bound ? checkCount(options.draws ?? 1, 'draws') : 1;
  const operation = findOperation(manifest, 'log_prob');
  const given = { ...calls.data(operation, data), ...calls.conditions(operation, options) };
  const weights = await logWeights(calls, operation, given, rowsOf(data, 'data'), draws, seed, options);
  const estimates = weights.map(estimator === 'elbo' ? elbo : iwae);
  const logProb = Float64Array.from(estimates, estimate => estimate.logProb);
  return {
    logProb,
    bitsPerDim: logProb.map(value => -value / (dimensions * Math.LN2)),
    standardError: Float64Array.from(estimates, estimate => estimate.standardError),
    estimator,
    draws,
    seed,
  };
}

/**
 * Log-weights in nats, [rows][draws]; of an operation that gives a map, its sum over the pixels. Draw by draw, so that
 * neighbouring rows share their noise.
 */
export async function logWeights(
  calls: Calls,
  operation: Operation,
  given: Tensors,
  rows: number,
  draws: number,
  seed: number,
  options: CallOptions,
): Promise<Float64Array[]> {
  const port = outputOf(operation, operation.name.startsWith('log_prob_map') ? 'map' : 'log_prob');
  const stepRows = Array.from({ length: rows * draws }, (_, i) => ({
    index: i % rows,
    sample: 0,
    draw: Math.floor(i / rows),
  }));
  const weights = Array.from({ length: rows }, () => new Float64Array(draws));
  for await (const step of calls.steps(calls.call(operation, given, rows, seed, stepRows, options))) {
    const { data } = step.outputs[port.name]!;
    const size = data.length / step.rows.length;
    step.rows.forEach(({ index, draw }, i) => {
      let sum = 0;
      for (let j = i * size; j < (i + 1) * size; j++) sum += data[j]!;
      if (Number.isNaN(sum)) throw notFinite(operation.name, index);
      weights[index]![draw] = sum;
    });
  }
  return weights;
}

export function notFinite(what: string, row: number): GenserveError {
  return new GenserveError('NON_FINITE', `${what} of row ${row} is not a number`);
}
