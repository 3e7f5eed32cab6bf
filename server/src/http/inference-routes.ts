// The Open Inference Protocol v2 over HTTP: /v2, /v2/models/{model}[/versions/{version}][/ready | /infer], with Triton's
// extensions /config and /stats.
import type { IncomingMessage } from 'node:http';
import { HEAD_LENGTH_HEADER } from '@genserve/runtime';
import { type Request, type Response, Router } from 'express';
import { infer } from '../inference/infer.js';
import { configurationOf, findEntry, findInferenceModel, metadataOf, serverMetadata } from '../inference/models.js';
import { statisticsOf } from '../inference/statistics.js';
import { readBody } from './body.js';
import { sendInference } from './inference-answer.js';
import { readInference } from './inference-request.js';
import { type Answer, headerOf, scopeOf, servicesOf } from './scope.js';
import { snakeCased } from './snake-case.js';
import { notAllowed } from './verb-routes.js';

export function inferenceRouter(): Router {
  const router = Router();
  router
    .route('/v2')
    .get((_request, response) => {
      response.json(serverMetadata);
    })
    .all(notAllowed('GET'));
  const statistics = (response: Response, name: string, version: string) =>
    response.json(snakeCased({ modelStats: statisticsOf(servicesOf(response), name, version) }));
  // Before the routes of a model: no bundle is called "stats".
  router
    .route('/v2/models/stats')
    .get((_request, response) => statistics(response, '', ''))
    .all(notAllowed('GET'));
  const model = '/v2/models/:model{/versions/:version}';
  router
    .route(model)
    .get((request, response) => {
      response.json(metadataOf(servicesOf(response).repository, request.params.model, versionOf(request)));
    })
    .all(notAllowed('GET'));
  router
    .route(`${model}/ready`)
    .get((request, response) => {
      const { model: name } = request.params;
      const ready = findEntry(servicesOf(response).repository, name, versionOf(request)).state === 'ready';
      response.status(ready ? 200 : 503).json({ name, ready });
    })
    .all(notAllowed('GET'));
  router
    .route(`${model}/config`)
    .get((request, response) => {
      const { repository, limits } = servicesOf(response);
      const configuration = configurationOf(repository, request.params.model, versionOf(request), limits.maxCount);
      response.json(snakeCased(configuration));
    })
    .all(notAllowed('GET'));
  router
    .route(`${model}/stats`)
    .get((request, response) => statistics(response, request.params.model, versionOf(request)))
    .all(notAllowed('GET'));
  router.all(`${model}/infer`, notAllowed('POST'));
  return router;
}

/** `POST /v2/models/{model}[/versions/{version}]/infer`, found without Express (see `direct.ts`). */
export async function callInfer(
  model: string,
  version: string,
  request: IncomingMessage,
  response: Answer,
): Promise<void> {
  const services = servicesOf(response);
  const { repository, limits } = services;
  const scope = scopeOf(request, response);
  const { operation } = findInferenceModel(repository, model, version);
  const bytes = await readBody(request, limits.maxBodyBytes);
  const body = readInference(headerOf(request, HEAD_LENGTH_HEADER.toLowerCase()), bytes, operation);
  const asked = { model, version, ...body };
  sendInference(response, await infer(asked, services, scope), asked);
}

function versionOf(request: Request<{ model: string; version?: string }>): string {
  return request.params.version ?? '';
}
