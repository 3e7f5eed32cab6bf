// The part of the OpenAPI document that is the Open Inference Protocol v2, with its model repository and statistics.
import { media } from './answer.js';
import { inferenceSchema } from './inference-request.js';
import { binary, type Json, pathParameter, toJsonSchema, versionParameter } from './openapi-parts.js';

const tags = ['Open Inference Protocol'];
const modelParameter = pathParameter('model', { type: 'string', examples: ['mnist-vae', 'mnist-vae.log_prob'] });
const text: Json = { type: 'string' };
const anything: Json = { [media.json]: { schema: { type: 'object' } } };

/** Adds its schemas to `schemas`. */
export function inferencePaths(schemas: Record<string, Json>): Record<string, Json> {
  schemas.InferenceRequest = toJsonSchema(inferenceSchema);
  schemas.InferenceResponse = inferenceResponse;
  schemas.InferenceError = { type: 'object', required: ['error'], properties: { error: text } };
  const paths: Record<string, Json> = {
    '/v2': { get: reading('ServerMetadata', 'The server and its extensions.') },
    '/v2/health/live': { get: health('ServerLive', 'Whether the process runs.') },
    '/v2/health/ready': { get: health('ServerReady', 'Whether requests are taken: 200 or 503.') },
    '/v2/models/stats': { get: reading('AllStatistics', 'What every model has done since the start.') },
    '/v2/repository/index': { post: changing('RepositoryIndex', 'Every version of every bundle.') },
    '/v2/repository/models/{model}/load': {
      post: changing('ModelLoad', 'Loads or reloads a bundle.', [modelParameter]),
    },
    '/v2/repository/models/{model}/unload': { post: changing('ModelUnload', 'Unloads a bundle.', [modelParameter]) },
  };
  for (const [path, suffix, parameters] of [
    ['/v2/models/{model}', '', [modelParameter]],
    ['/v2/models/{model}/versions/{version}', 'Version', [modelParameter, versionParameter]],
  ] as const) {
    paths[path] = { get: reading(`ModelMetadata${suffix}`, 'Names, datatypes and shapes.', parameters) };
    paths[`${path}/ready`] = { get: health(`ModelReady${suffix}`, 'Whether the model takes requests.', parameters) };
    paths[`${path}/config`] = {
      get: reading(`ModelConfig${suffix}`, 'Its configuration as Triton tells it.', parameters),
    };
    paths[`${path}/stats`] = { get: reading(`ModelStatistics${suffix}`, 'What the model has done.', parameters) };
    paths[`${path}/infer`] = { post: infer(`ModelInfer${suffix}`, parameters) };
  }
  return paths;
}

function infer(operationId: string, parameters: readonly Json[]): Json {
  const content = (name: string): Json => ({
    [media.json]: { schema: { $ref: `#/components/schemas/${name}` } },
    [media.body]: binary,
  });
  const summary = 'Runs one operation on tensors: JSON, or raw bytes behind it (Inference-Header-Content-Length).';
  const requestBody = { content: content('InferenceRequest') };
  return { tags, operationId, summary, parameters, requestBody, responses: answers(content('InferenceResponse')) };
}

function reading(operationId: string, summary: string, parameters: readonly Json[] = []): Json {
  return { tags, operationId, summary, parameters, responses: answers(anything) };
}

function changing(operationId: string, summary: string, parameters: readonly Json[] = []): Json {
  return { ...reading(operationId, summary, parameters), requestBody: { content: anything } };
}

function health(operationId: string, summary: string, parameters: readonly Json[] = []): Json {
  const responses = { '200': { description: 'Yes.' }, '503': { description: 'No.' } };
  return { tags, operationId, summary, parameters, responses };
}

function answers(content: Json): Json {
  const failure = { [media.json]: { schema: { $ref: '#/components/schemas/InferenceError' } } };
  return { '200': { description: 'Done.', content }, default: { description: 'What was wrong.', content: failure } };
}

const parameters: Json = { type: 'object', additionalProperties: { type: ['string', 'number', 'boolean'] } };

const inferenceResponse: Json = {
  type: 'object',
  required: ['model_name', 'outputs'],
  properties: {
    model_name: text,
    model_version: text,
    id: text,
    parameters,
    outputs: {
      type: 'array',
      items: {
        type: 'object',
        required: ['name', 'datatype', 'shape'],
        properties: {
          name: text,
          datatype: { type: 'string', enum: ['FP32', 'INT32'] },
          shape: { type: 'array', items: { type: 'integer' } },
          parameters,
          data: { type: 'array', items: { type: ['number', 'string'] } },
        },
      },
    },
  },
};
