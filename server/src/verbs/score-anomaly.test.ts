// A score that uses labels, asked for by both transports.
import { generator } from '@genserve/proto/wire';
import { float32 } from '@genserve/runtime';
import type { ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { changeManifest } from '../../fixtures/models.js';
import { readFailure, type Serving, serve } from '../../fixtures/serving.js';
import { writeTensor } from './tensors.js';

const name = 'of-label';
let serving: Serving;
beforeAll(async () => {
  serving = await serve({}, async models => {
    const score = { name, formula: 'negative-log-likelihood', operations: ['log_prob'], draws: 1, usesLabel: true };
    await changeManifest(await models.add('tiny-rows'), manifest => ({ ...manifest, scores: [score] }));
  });
});
afterAll(() => serving.close());

const pixels = [0, 1, 1, 0, 0, 1, 0, 0, 0, 1, 1, 1];
const inputs = { tensor: writeTensor(float32([1, 4, 3, 1], pixels)) };
/** -log p(x | label) of the fixture, by its formula. */
const expected = (label: number) =>
  pixels.reduce((sum, x, i) => {
    const logit = (i === 0 ? 0 : 1.5 * pixels[i - 1]!) + [-1.5, 0.5][label]!;
    return sum + Math.log(1 + Math.exp(x === 1 ? -logit : logit));
  }, 0);

const overHttp = async (labels: number[]) => {
  const request = generator.ScoreAnomalyRequest.fromPartial({ model: 'tiny-rows', inputs, scores: [name], labels });
  const response = await serving.post(
    '/v1/models/tiny-rows:anomaly',
    generator.ScoreAnomalyRequest.toJSON(request) as object, // protobuf's JSON of a message is an object
  );
  return { status: response.status, body: (await response.json()) as object };
};
const overGrpc = (labels: number[]) =>
  new Promise<generator.ScoreAnomalyResponse>((resolve, reject) => {
    const request = generator.ScoreAnomalyRequest.fromPartial({ model: 'tiny-rows', inputs, scores: [name], labels });
    serving.client.scoreAnomaly(request, (error, response) => (error ? reject(error) : resolve(response)));
  });

test.each([0, 1])('a row is scored given label %i', async label => {
  const { body } = await overHttp([label]);
  for (const { results } of [generator.ScoreAnomalyResponse.fromJSON(body), await overGrpc([label])])
    expect(results[0]?.scores[0]?.value).toBeCloseTo(expected(label), 5);
});

test('a request without labels is told which field it lacks', async () => {
  const { status, body } = await overHttp([]);
  expect(status).toBe(400);
  expect(body).toMatchObject({ error: { reason: 'INVALID_ARGUMENT', field: 'labels' } });
  const failure = await overGrpc([]).catch((error: ServiceError) => readFailure(error));
  expect(failure).toMatchObject({ code: 3, reason: 'INVALID_ARGUMENT', field: 'labels' });
});
