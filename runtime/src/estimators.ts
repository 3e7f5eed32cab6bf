// Log-likelihoods from importance weights, in float64. The estimator belongs to the answer, not to the model.

export interface Estimate {
  /** Nats. */
  readonly logProb: number;
  /** Of logProb, nats; 0 where there is one draw, as there is no spread to see. */
  readonly standardError: number;
}

/** Evidence lower bound: the mean of the log-weights (Kingma & Welling 2013, eq. 3). */
export function elbo(logWeights: Float64Array): Estimate {
  const logProb = mean(logWeights);
  return { logProb, standardError: standardError(logWeights, logProb) };
}

/** log (1/k) sum of the weights (Burda et al. 2015, eq. 8); standard error by the delta method. */
export function iwae(logWeights: Float64Array): Estimate {
  let greatest = -Infinity;
  for (const weight of logWeights) greatest = Math.max(greatest, weight);
  // All weights are 0: so is their mean. Of one, its logarithm is: rows of one draw are many.
  if (greatest === -Infinity || logWeights.length === 1) return { logProb: greatest, standardError: 0 };
  const weights = logWeights.map(weight => Math.exp(weight - greatest));
  const average = mean(weights);
  return { logProb: greatest + Math.log(average), standardError: standardError(weights, average) / average };
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function standardError(values: Float64Array, average: number): number {
  if (values.length < 2 || !Number.isFinite(average)) return 0;
  const squares = values.reduce((sum, value) => sum + (value - average) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1) / values.length);
}
