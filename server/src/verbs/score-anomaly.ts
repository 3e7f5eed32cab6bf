// ScoreAnomaly: how unlike the training data each row is, with a calibrated p-value, and where.
import { generator } from '@genserve/proto/wire';
import { type Anomaly, driftsOf, invalid } from '@genserve/runtime';
import { encodeHeatMap } from '../images/encode.js';
import { namingFields } from './fields.js';
import { readInputs } from './inputs.js';
import { readDraws } from './limits.js';
import { requests, responses } from './messages.js';
import { findTarget } from './target.js';
import { writeTensor } from './tensors.js';
import { type CallContext, once, type Verb } from './verb.js';

export const scoreAnomaly: Verb<generator.ScoreAnomalyRequest, generator.ScoreAnomalyResponse> = {
  name: 'ScoreAnomaly',
  summary: 'How unlike the training data each row is, with a calibrated p-value and, on request, a heat map.',
  request: generator.ScoreAnomalyRequest,
  response: generator.ScoreAnomalyResponse,
  requestSchema: requests.ScoreAnomalyRequest,
  responseSchema: responses.ScoreAnomalyResponse,
  answer: (request, context) => once(score(request, context)),
};

async function score(
  request: generator.ScoreAnomalyRequest,
  context: CallContext,
): Promise<generator.ScoreAnomalyResponse> {
  const { model, generator: served, identity } = findTarget(request, context);
  const { limits } = context.services;
  const { scores, alpha, map, seed, labels } = request;
  const { data, rows, field } = await readInputs(request.inputs, model.manifest, limits);
  const draws = readDraws(request.draws, rows, limits);
  const correction = readCorrection(request.correction);
  const label = labels.length > 0 ? labels : undefined;
  const anomalies = await namingFields({ data: field, label: 'labels' }, () =>
    served.anomaly(data, { scores, alpha, map, draws, seed, label, correction, signal: context.signal }),
  );
  const drifts = request.drift ? driftsOf(anomalies, model.manifest, alpha) : [];
  return { ...identity, results: await Promise.all(anomalies.map(toResult)), drifts };
}

function readCorrection(correction: string): 'benjamini-hochberg' | undefined {
  if (correction === '' || correction === 'benjamini-hochberg') return correction || undefined;
  throw invalid('correction', `must be benjamini-hochberg, was "${correction}"`);
}

async function toResult({ scores, map }: Anomaly): Promise<generator.AnomalyResult> {
  return {
    scores: scores.map(score => ({ ...score, pValue: score.pValue, adjustedPValue: score.adjustedPValue })),
    map: map && writeTensor(map),
    mapImage: map ? await encodeHeatMap(map) : Buffer.alloc(0),
  };
}
