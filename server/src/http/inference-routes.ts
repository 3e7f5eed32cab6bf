// The Open Inference Protocol v2 over HTTP: /v2, /v2/models/{model}[/versions/{version}][/ready | /infer].
import { GenserveError, HEAD_LENGTH_HEADER, type Tensors, utf8 } from '@genserve/runtime';
import { type ErrorRequestHandler, type Request, type Response, Router } from 'express';
import { chooseOutputs, infer } from '../inference/infer.js';
import { findInferenceModel, isInferenceModelReady, metadataOf, serverMetadata } from '../inference/models.js';
import { bytesOf, datatypeOf } from '../inference/tensors.js';
import type { Services } from '../verbs/verb.js';
import { readBody } from './body.js';
import { setErrorStatus, toGenserveError } from './errors.js';
import { type InferenceBody, readInference } from './inference-request.js';
import { scopeOf } from './scope.js';
import { notAllowed } from './verb-routes.js';

export function inferenceRouter({ repository, limits, runnerFor }: Services): Router {
  const router = Router();
  router
    .route('/v2')
    .get((_request, response) => {
      response.json(serverMetadata);
    })
    .all(notAllowed('GET'));
  const model = '/v2/models/:model{/versions/:version}';
  router
    .route(model)
    .get((request, response) => {
      response.json(metadataOf(repository, request.params.model, versionOf(request)));
    })
    .all(notAllowed('GET'));
  router
    .route(`${model}/ready`)
    .get((request, response) => {
      const { model: name } = request.params;
      const ready = isInferenceModelReady(repository, name, versionOf(request));
      response.status(ready ? 200 : 503).json({ name, ready });
    })
    .all(notAllowed('GET'));
  router
    .route(`${model}/infer`)
    .post(async (request, response) => {
      const scope = scopeOf(request, response);
      const found = findInferenceModel(repository, request.params.model, versionOf(request));
      const body = readInference(request, await readBody(request, limits.maxBodyBytes), found.operation);
      const names = chooseOutputs(
        found.operation,
        body.outputs.map(output => output.name),
      );
      const outputs = await infer(
        found,
        body.given,
        body.parameters,
        runnerFor(found.model, scope),
        limits,
        scope.signal,
      );
      sendOutputs(response, request.params.model, found.model.version, body, names, outputs);
    })
    .all(notAllowed('POST'));
  router.use('/v2', inferenceErrors);
  return router;
}

function versionOf(request: Request<{ model: string; version?: string }>): string {
  return request.params.version ?? '';
}

/** JSON, with the outputs that are wanted raw behind it in their order. */
function sendOutputs(
  response: Response,
  name: string,
  version: number,
  body: InferenceBody,
  names: readonly string[],
  outputs: Tensors,
): void {
  const raw: Buffer[] = [];
  const described = names.map(output => {
    const tensor = outputs[output];
    if (tensor === undefined) throw new GenserveError('INTERNAL', `the graph gave no output ${output}`);
    const head = { name: output, datatype: datatypeOf(tensor), shape: tensor.shape };
    const binary = body.outputs.find(asked => asked.name === output)?.binary ?? body.binaryByDefault;
    if (!binary) return { ...head, data: Array.from(tensor.data) };
    raw.push(bytesOf(tensor));
    return { ...head, parameters: { binary_data_size: tensor.data.byteLength } };
  });
  const json = {
    model_name: name,
    model_version: String(version),
    ...(body.id !== undefined && { id: body.id }),
    outputs: described,
  };
  if (raw.length === 0) {
    response.json(json);
    return;
  }
  const head = utf8(JSON.stringify(json));
  response.type('application/octet-stream').set(HEAD_LENGTH_HEADER, String(head.length));
  response.send(Buffer.concat([head, ...raw]));
}

/** The protocol's own form of an error: one string, the reason in front. */
const inferenceErrors: ErrorRequestHandler = (thrown, _request, response, next) => {
  const error = toGenserveError(thrown);
  if (error.reason === 'INTERNAL' || response.headersSent) {
    next(thrown);
    return;
  }
  setErrorStatus(response, error);
  response.json({ error: `${error.reason}: ${error.message}` });
};
