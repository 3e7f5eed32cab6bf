// The OpenAPI 3.1 document, made from the table of verbs and the schemas that requests are checked with.
import { REASONS } from '@genserve/runtime';
import type { z } from 'zod';
import * as verbs from '../verbs/table.js';
import type { VerbDescription } from '../verbs/verb.js';
import { media } from './answer.js';
import { inferencePaths } from './openapi-inference.js';
import { binary, type Json, pathParameter, toJsonSchema, versionParameter } from './openapi-parts.js';
import { type VerbRoute, verbRoutes } from './verb-routes.js';

const modelParameter = pathParameter('model', { type: 'string', pattern: '^[a-z0-9-]{1,63}$' });

export function openApiDocument(): Json {
  const schemas: Record<string, Json> = { Error: errorSchema() };
  const register = (name: string, schema: z.ZodType): Json => {
    schemas[name] ??= toJsonSchema(schema);
    return { $ref: `#/components/schemas/${name}` };
  };
  const paths: Record<string, Json> = {
    '/v1/models': { get: reading(verbs.listModels, [], register) },
    '/v1/models/{model}': { get: reading(verbs.getModel, [modelParameter], register) },
    '/v1/models/{model}/versions/{version}': {
      get: reading(verbs.getModel, [modelParameter, versionParameter], register),
    },
    ...inferencePaths(schemas),
  };
  for (const route of verbRoutes) {
    const newest = `/v1/models/{model}:${route.path}`;
    const versioned = `/v1/models/{model}/versions/{version}:${route.path}`;
    paths[newest] = { post: posting(route, [modelParameter], register) };
    paths[versioned] = { post: posting(route, [modelParameter, versionParameter], register, 'Version') };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'genserve', version: '1', description: 'Deep generative models: samples, likelihoods, anomalies.' },
    paths,
    components: { schemas, securitySchemes },
    // Where the server asks for credentials, either will do.
    security: [{}, { apiKey: [] }, { token: [] }],
  };
}

const securitySchemes: Json = {
  apiKey: { type: 'apiKey', in: 'header', name: 'X-Api-Key' },
  token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
};

type Register = (name: string, schema: z.ZodType) => Json;

function reading(verb: VerbDescription, parameters: Json[], register: Register): Json {
  const operationId = parameters.length > 1 ? `${verb.name}Version` : verb.name;
  const schema = register(`${verb.name}Response`, verb.responseSchema);
  return { operationId, summary: verb.summary, parameters, responses: answers({ [media.json]: { schema } }) };
}

function posting(route: VerbRoute, parameters: Json[], register: Register, suffix = ''): Json {
  const { verb } = route;
  const request = register(`${verb.name}Request`, verb.requestSchema);
  const response = register(`${verb.name}Response`, verb.responseSchema);
  const takesData = 'inputs' in verb.requestSchema.shape;
  return {
    operationId: `${verb.name}${suffix}`,
    summary: verb.summary,
    parameters,
    requestBody: {
      content: {
        [media.json]: { schema: request },
        [media.body]: binary,
        ...(takesData && { 'image/*': binary, 'multipart/form-data': binary, [media.array]: binary }),
      },
    },
    responses: answers({
      [media.json]: { schema: response },
      [media.body]: binary,
      ...(route.streams && { [media.lines]: { schema: response }, [media.frames]: binary }),
      ...(route.pictures && { [media.picture]: binary }),
      ...(route.arrays && { [media.array]: binary }),
    }),
  };
}

function answers(content: Json): Json {
  const failure = { content: { [media.json]: { schema: { $ref: '#/components/schemas/Error' } } } };
  return { '200': { description: 'Done.', content }, default: { description: 'What was wrong.', ...failure } };
}

function errorSchema(): Json {
  const text = { type: 'string' };
  const error = {
    type: 'object',
    required: ['reason', 'message', 'requestId'],
    properties: {
      reason: { type: 'string', enum: Object.keys(REASONS) },
      message: text,
      field: text,
      requestId: text,
      retryAfterMs: { type: 'integer' },
    },
  };
  return { type: 'object', required: ['error'], properties: { error } };
}
