// ScoreLikelihood: log p(x) in nats and bits per dimension, exact or a bound by importance samples.
import { generator } from '@genserve/proto/wire';
import { invalid } from '@genserve/runtime';
import { readConditions } from './conditions.js';
import { conditionFields, namingFields } from './fields.js';
import { readInputs } from './inputs.js';
import { readDraws } from './limits.js';
import { requests, responses } from './messages.js';
import { findTarget } from './target.js';
import { type CallContext, once, type Verb } from './verb.js';

export const scoreLikelihood: Verb<generator.ScoreLikelihoodRequest, generator.ScoreLikelihoodResponse> = {
  name: 'ScoreLikelihood',
  summary: 'The likelihood of data under the model.',
  request: generator.ScoreLikelihoodRequest,
  response: generator.ScoreLikelihoodResponse,
  requestSchema: requests.ScoreLikelihoodRequest,
  responseSchema: responses.ScoreLikelihoodResponse,
  answer: (request, context) => once(score(request, context)),
};

async function score(
  request: generator.ScoreLikelihoodRequest,
  context: CallContext,
): Promise<generator.ScoreLikelihoodResponse> {
  const { model, generator: served, identity } = findTarget(request, context);
  const { limits } = context.services;
  const estimator = readEstimator(request.estimator);
  const { data, rows, field } = await readInputs(request.inputs, model.manifest, limits);
  const draws = readDraws(request.draws, rows, limits);
  const conditions = readConditions(request.conditions, 'conditions');
  const { seed } = request;
  const scores = await namingFields({ ...conditionFields('conditions'), data: field }, () =>
    served.logLikelihood(data, { ...conditions, draws, seed, estimator, signal: context.signal }),
  );
  return {
    ...identity,
    likelihoods: Array.from(scores.logProb, (logProb, row) => ({
      logProb,
      bitsPerDim: scores.bitsPerDim[row] ?? 0,
      standardError: scores.standardError[row] ?? 0,
    })),
    estimator: scores.estimator,
    draws: scores.draws,
    seed: scores.seed,
  };
}

function readEstimator(estimator: string): 'elbo' | 'iwae' | undefined {
  if (estimator === '') return undefined;
  if (estimator === 'elbo' || estimator === 'iwae') return estimator;
  throw invalid('estimator', `must be elbo or iwae, was "${estimator}"`);
}
