// The document says what the server does: it is made from the same table, and real answers fit it.
import { generator } from '@genserve/proto/wire';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Serving, serve } from '../../fixtures/serving.js';
import { requests, responses } from '../verbs/messages.js';
import * as verbs from '../verbs/table.js';
import { openApiDocument } from './openapi.js';
import { verbRoutes } from './verb-routes.js';

let serving: Serving;
beforeAll(async () => {
  serving = await serve();
});
afterAll(() => serving.close());

interface Document {
  openapi: string;
  paths: Record<string, Record<string, { operationId?: string; requestBody?: { content: Record<string, unknown> } }>>;
  components: { schemas: Record<string, { type: string; properties: Record<string, unknown> }> };
}

test('the document is served, and has a path for every verb', async () => {
  const served = (await (await fetch(`${serving.url}/openapi.json`)).json()) as Document;
  expect(served).toEqual(JSON.parse(JSON.stringify(openApiDocument())));
  expect(served.openapi).toBe('3.1.0');
  const operations = Object.values(served.paths).flatMap(path =>
    Object.values(path).flatMap(item => item.operationId ?? []),
  );
  expect(new Set(operations).size).toBe(operations.length);
  for (const { name } of Object.values(verbs)) expect(operations).toContain(name);
});

test('every reference leads somewhere, and no alias or null is left', () => {
  const text = JSON.stringify(openApiDocument());
  const { schemas } = (openApiDocument() as unknown as Document).components;
  for (const [, name = ''] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g)) expect(schemas).toHaveProperty(name);
  expect(text).not.toContain('first_index');
  expect(text).not.toContain('"null"');
  expect(schemas.SampleRequest?.properties).toMatchObject({
    count: { type: 'integer' },
    format: { enum: expect.arrayContaining(['OUTPUT_FORMAT_PNG']) },
  });
});

test('the schemas have the fields of the generated messages', () => {
  const fieldsOf = (message: object) => Object.keys(message).sort();
  const schemaFields = (schema: { shape: object }) =>
    Object.keys(schema.shape)
      .filter(name => !name.includes('_'))
      .sort();
  for (const [name, schema] of Object.entries({ ...requests, ...responses })) {
    const message = (generator as unknown as Record<string, { create(): object }>)[name];
    expect(schemaFields(schema), name).toEqual(fieldsOf(message?.create() ?? {}));
  }
});

test('answers of every verb fit their schema', async () => {
  const inputs = { tensor: { dtype: 'float32', shape: [2, 16, 16, 1], values: Array(512).fill(0) } };
  const bodies: Record<string, object> = {
    sample: { count: 2 },
    generate: { latents: { values: { z: { ...inputs.tensor } } } },
    likelihood: { inputs, draws: 2 },
    anomaly: { inputs, map: true },
    encode: { inputs },
    reconstruct: { inputs },
  };
  for (const { path, verb } of verbRoutes) {
    const response = await serving.post(`/v1/models/tiny:${path}`, bodies[path]);
    expect(response.status, path).toBe(200);
    expect(verb.responseSchema.safeParse(await response.json()).error, path).toBeUndefined();
  }
  for (const [path, verb] of [['', verbs.listModels] as const, ['/tiny', verbs.getModel] as const]) {
    const response = await fetch(`${serving.url}/v1/models${path}`);
    expect(verb.responseSchema.safeParse(await response.json()).error, path).toBeUndefined();
  }
});
