// What is wrong with a request is said the same way over HTTP and gRPC, and the server goes on serving.
import { generator } from '@genserve/proto/wire';
import { grpcCode, REASONS, type Reason } from '@genserve/runtime';
import type { ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { collect, readFailure, type Serving, serve } from '../fixtures/serving.js';
import { encodePng } from './images/encode.js';

let serving: Serving;
let png: Buffer;

beforeAll(async () => {
  serving = await serve();
  png = await encodePng({ width: 16, height: 16, channels: 1, data: new Uint8Array(256).map((_, i) => i) });
});
afterAll(() => serving.close());

const zeros = (...shape: number[]) => ({
  dtype: 'float32',
  shape,
  data: Buffer.alloc(4 * shape.reduce((product, length) => product * length, 1)).toString('base64'),
});
const oneRow = (value: number) => ({
  dtype: 'float32',
  shape: [1, 16, 16, 1],
  data: Buffer.from(new Float32Array(256).fill(value).buffer).toString('base64'),
});

interface BadRequest {
  readonly what: string;
  readonly verb: 'sample' | 'generate' | 'likelihood' | 'anomaly' | 'encode' | 'reconstruct';
  readonly model?: string;
  readonly message: () => Record<string, unknown>;
  readonly reason: Reason;
  readonly field: string | undefined;
}

const invalid = 'INVALID_ARGUMENT';
const bad: BadRequest[] = [
  { what: 'a negative count', verb: 'sample', message: () => ({ count: -1 }), reason: invalid, field: 'count' },
  {
    what: 'a count above the limit',
    verb: 'sample',
    message: () => ({ count: 10_001 }),
    reason: invalid,
    field: 'count',
  },
  {
    what: 'a temperature of 0',
    verb: 'sample',
    message: () => ({ temperature: 0 }),
    reason: invalid,
    field: 'temperature',
  },
  {
    what: 'an input that the model does not take',
    verb: 'sample',
    message: () => ({ truncation: 0.5 }),
    reason: invalid,
    field: 'truncation',
  },
  {
    what: 'an unknown model',
    verb: 'sample',
    model: 'nothing',
    message: () => ({}),
    reason: 'MODEL_NOT_FOUND',
    field: 'model',
  },
  {
    what: 'an unknown version',
    verb: 'sample',
    message: () => ({ version: 9 }),
    reason: 'MODEL_NOT_FOUND',
    field: 'version',
  },
  {
    what: 'a label out of range',
    verb: 'generate',
    model: 'tiny-rows',
    message: () => ({ conditions: { labels: [99] } }),
    reason: invalid,
    field: 'conditions.labels',
  },
  {
    what: 'a label for a model without labels',
    verb: 'generate',
    message: () => ({ conditions: { labels: [1] } }),
    reason: invalid,
    field: 'conditions.labels',
  },
  { what: 'no form of generation', verb: 'generate', message: () => ({}), reason: invalid, field: 'form' },
  {
    what: 'latents of a wrong shape',
    verb: 'generate',
    message: () => ({ latents: { values: { z: zeros(1, 16) } } }),
    reason: invalid,
    field: 'latents.values.z',
  },
  {
    what: 'an interpolation of one step',
    verb: 'generate',
    message: () => ({ interpolation: { from: {}, to: {}, steps: 1 } }),
    reason: invalid,
    field: 'interpolation.steps',
  },
  {
    what: 'an operation that the model lacks',
    verb: 'reconstruct',
    model: 'tiny-rows',
    message: () => ({ inputs: { tensor: zeros(1, 8, 8, 1) } }),
    reason: 'OPERATION_UNSUPPORTED',
    field: undefined,
  },
  { what: 'no data', verb: 'likelihood', message: () => ({}), reason: invalid, field: 'inputs' },
  {
    what: 'a wrong shape',
    verb: 'likelihood',
    message: () => ({ inputs: { tensor: zeros(1, 8, 8, 1) } }),
    reason: invalid,
    field: 'inputs.tensor',
  },
  {
    what: 'bytes that do not fill the shape',
    verb: 'encode',
    message: () => ({ inputs: { tensor: { ...zeros(1, 16, 16, 1), shape: [2, 16, 16, 1] } } }),
    reason: invalid,
    field: 'inputs.tensor.data',
  },
  {
    what: 'an unknown dtype',
    verb: 'likelihood',
    message: () => ({ inputs: { tensor: { ...zeros(1, 16, 16, 1), dtype: 'float64' } } }),
    reason: invalid,
    field: 'inputs.tensor.dtype',
  },
  {
    what: 'a dtype that the operation does not take',
    verb: 'likelihood',
    message: () => ({ inputs: { tensor: { ...zeros(1, 16, 16, 1), dtype: 'int32' } } }),
    reason: invalid,
    field: 'inputs.tensor',
  },
  {
    what: 'NaN',
    verb: 'likelihood',
    message: () => ({ inputs: { tensor: oneRow(Number.NaN) } }),
    reason: invalid,
    field: 'inputs.tensor',
  },
  {
    what: 'infinity',
    verb: 'anomaly',
    message: () => ({ inputs: { tensor: oneRow(Number.POSITIVE_INFINITY) } }),
    reason: invalid,
    field: 'inputs.tensor',
  },
  {
    what: 'values outside [0, 1]',
    verb: 'reconstruct',
    message: () => ({ inputs: { tensor: oneRow(2) } }),
    reason: invalid,
    field: 'inputs.tensor',
  },
  {
    what: 'an unknown score',
    verb: 'anomaly',
    message: () => ({ inputs: { tensor: zeros(1, 16, 16, 1) }, scores: ['nll', 'luck'] }),
    reason: invalid,
    field: 'scores[1]',
  },
  {
    what: 'an alpha of 2',
    verb: 'anomaly',
    message: () => ({ inputs: { tensor: zeros(1, 16, 16, 1) }, alpha: 2 }),
    reason: invalid,
    field: 'alpha',
  },
  {
    what: 'more draws than the server allows',
    verb: 'likelihood',
    message: () => ({ inputs: { tensor: zeros(1, 16, 16, 1) }, draws: 5001 }),
    reason: invalid,
    field: 'draws',
  },
  {
    what: 'an unknown estimator',
    verb: 'likelihood',
    message: () => ({ inputs: { tensor: zeros(1, 16, 16, 1) }, estimator: 'best' }),
    reason: invalid,
    field: 'estimator',
  },
  {
    what: 'a truncated PNG',
    verb: 'anomaly',
    message: () => ({
      inputs: { images: [png, png.subarray(0, png.length - 30)].map(bytes => bytes.toString('base64')) },
    }),
    reason: invalid,
    field: 'inputs.images[1]',
  },
  {
    what: 'a picture that is none',
    verb: 'encode',
    message: () => ({ inputs: { images: [Buffer.from('<svg/>').toString('base64')] } }),
    reason: invalid,
    field: 'inputs.images[0]',
  },
];

test.each(bad)('$what: $reason at $field, over both transports', async ({ verb, model, message, reason, field }) => {
  const name = model ?? 'tiny';
  const http = await sendHttp(verb, name, message());
  expect(http.status).toBe(REASONS[reason]);
  expect(http.error).toMatchObject({ reason, requestId: expect.stringMatching(/./) });
  expect(http.error.field).toBe(field);
  if (field !== undefined) expect(http.error.message).toContain(field);

  const grpc = await sendGrpc(verb, { model: name, ...message() });
  expect(grpc).toMatchObject({ code: grpcCode(reason), reason, message: http.error.message });
  expect(grpc.field).toBe(field);
});

interface BadJson {
  readonly what: string;
  readonly body: string;
  readonly field: string;
}

const badJson: BadJson[] = [
  { what: 'a list', body: '[]', field: 'body' },
  { what: 'a number', body: '7', field: 'body' },
  { what: 'null', body: 'null', field: 'body' },
  { what: 'no JSON', body: '{"count": ', field: 'body' },
  { what: 'a wrong type', body: '{"count": "many"}', field: 'count' },
  { what: 'a fraction', body: '{"count": 1.5}', field: 'count' },
  { what: 'a seed of 2^53', body: '{"seed": 9007199254740992}', field: 'seed' },
  { what: 'a negative seed', body: '{"seed": -1}', field: 'seed' },
  { what: 'an unknown field', body: '{"cuont": 1}', field: 'cuont' },
  { what: 'an unknown format', body: '{"format": "OUTPUT_FORMAT_GIF"}', field: 'format' },
  { what: 'another model than the path', body: '{"model": "tiny-rows"}', field: 'model' },
];

test.each(badJson)('JSON that is $what: INVALID_ARGUMENT at $field', async ({ body, field }) => {
  const { status, error } = await sendHttp('sample', 'tiny', body);
  expect(status).toBe(400);
  expect(error).toMatchObject({ reason: 'INVALID_ARGUMENT', field });
});

test.each([
  ['{"seed": -1}', 'seed: expected an integer from 0 to 2^53 - 1, was -1'],
  ['{"seed": 9007199254740992}', 'seed: expected an integer from 0 to 2^53 - 1, was 9007199254740992'],
  ['{"count": 3000000000}', 'count: expected a 32-bit integer, was 3000000000'],
  ['{"count": "many"}', 'count: expected a 32-bit integer, was "many"'],
])('%s hears what would be right, and what was there', async (body, message) => {
  expect((await sendHttp('sample', 'tiny', body)).error.message).toBe(message);
});

test('a seed beyond 2^53 and an unknown enum value are refused over gRPC as well', async () => {
  // Field 4 (seed) = 2^60; field 8 (format) = 9.
  for (const tail of [
    [0x20, ...Array(8).fill(0x80), 0x10],
    [0x40, 9],
  ]) {
    const failure = await new Promise<ServiceError>(resolve => {
      const call = serving.client.makeServerStreamRequest(
        '/genserve.v1.GeneratorService/Sample',
        () => Buffer.from([0x0a, 4, ...Buffer.from('tiny'), ...tail]),
        (bytes: Buffer) => generator.SampleResponse.decode(bytes),
        {},
      );
      call.on('error', error => resolve(error as ServiceError));
      call.on('data', () => undefined);
    });
    expect(readFailure(failure)).toMatchObject({ code: 3, reason: 'INVALID_ARGUMENT', field: 'body' });
  }
});

test('a body of 40 MB: PAYLOAD_TOO_LARGE over both transports', async () => {
  const shape = [40_960, 16, 16, 1];
  const data = Buffer.alloc(40 * 1024 * 1024);
  const http = await sendHttp('likelihood', 'tiny', data, { 'content-type': 'application/x-npy' });
  expect(http.status).toBe(413);
  expect(http.error).toMatchObject({ reason: 'PAYLOAD_TOO_LARGE', field: 'body' });
  const grpc = await sendGrpc('likelihood', { model: 'tiny', inputs: { tensor: { dtype: 'float32', shape, data } } });
  expect(grpc).toMatchObject({ code: 8, reason: 'PAYLOAD_TOO_LARGE', field: 'body' });
});

test('other methods, verbs, paths, media types and encodings', async () => {
  const { url } = serving;
  const answers = await Promise.all([
    fetch(`${url}/v1/models/tiny:sample`, { method: 'PUT' }),
    serving.post('/v1/models/tiny', {}),
    serving.post('/v1/models/tiny:dream', {}),
    fetch(`${url}/nowhere`),
    serving.post('/v1/models/tiny:sample', 'x', { 'content-type': 'text/plain' }),
    serving.post('/v1/models/tiny:sample', {}, { accept: 'video/mp4' }),
    serving.post('/v1/models/tiny:sample', {}, { 'content-encoding': 'zstd' }),
    serving.post('/v1/models/tiny/versions/one:sample', {}),
    fetch(`${url}/v1/models/%E0%A4%A`),
    fetch(`${url}/v1/models/tiny:sample`),
    fetch(`${url}/v1/models/tiny/versions/1:sample`),
    fetch(`${url}/v1/models/tiny?version=9`),
    fetch(`${url}/v1/models?page=2`),
  ]);
  const seen = await Promise.all(
    answers.map(async answer => [answer.status, ((await answer.json()) as { error: { reason: string } }).error.reason]),
  );
  expect(seen).toEqual([
    [405, 'METHOD_NOT_ALLOWED'],
    [405, 'METHOD_NOT_ALLOWED'],
    [501, 'OPERATION_UNSUPPORTED'],
    [404, 'INVALID_ARGUMENT'],
    [415, 'UNSUPPORTED_MEDIA_TYPE'],
    [415, 'UNSUPPORTED_MEDIA_TYPE'],
    [415, 'UNSUPPORTED_MEDIA_TYPE'],
    [400, 'INVALID_ARGUMENT'],
    [400, 'INVALID_ARGUMENT'],
    [405, 'METHOD_NOT_ALLOWED'],
    [405, 'METHOD_NOT_ALLOWED'],
    [404, 'MODEL_NOT_FOUND'],
    [400, 'INVALID_ARGUMENT'],
  ]);
});

test('after all of this the server still serves', async () => {
  const response = await serving.post('/v1/models/tiny:sample', { count: 2, seed: 1 });
  expect(response.status).toBe(200);
  expect(serving.server.executors).toHaveLength(1);
});

interface HttpFailure {
  readonly status: number;
  readonly error: { reason: string; message: string; field?: string; requestId: string };
}

async function sendHttp(
  verb: string,
  model: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<HttpFailure> {
  const response = await serving.post(`/v1/models/${model}:${verb}`, body, headers);
  return { status: response.status, ...((await response.json()) as Pick<HttpFailure, 'error'>) };
}

async function sendGrpc(verb: BadRequest['verb'], message: Record<string, unknown>) {
  const { client } = serving;
  const unary = <Request>(
    method: (request: Request, callback: (error: ServiceError | null, response: unknown) => void) => unknown,
    request: Request,
  ) =>
    new Promise((resolve, reject) => {
      method.call(client, request, (error, response) => (error ? reject(error) : resolve(response)));
    });
  const json = restoreBytes(message);
  const calls: Record<BadRequest['verb'], () => Promise<unknown>> = {
    sample: () => collect(client.sample(generator.SampleRequest.fromPartial(json))),
    generate: () => collect(client.generate(generator.GenerateRequest.fromPartial(json))),
    likelihood: () => unary(client.scoreLikelihood, generator.ScoreLikelihoodRequest.fromPartial(json)),
    anomaly: () => unary(client.scoreAnomaly, generator.ScoreAnomalyRequest.fromPartial(json)),
    encode: () => unary(client.encode, generator.EncodeRequest.fromPartial(json)),
    reconstruct: () => unary(client.reconstruct, generator.ReconstructRequest.fromPartial(json)),
  };
  return calls[verb]().then(
    () => {
      throw new Error('the call did not fail');
    },
    error => readFailure(error as ServiceError),
  );
}

/** The JSON of a case as a message: base64 in `data` and `images` becomes bytes. */
function restoreBytes(value: unknown): Record<string, unknown> {
  const bytes = (item: unknown) => (typeof item === 'string' ? Buffer.from(item, 'base64') : item);
  const walk = (item: unknown): unknown => {
    if (Array.isArray(item)) return item.map(walk);
    if (typeof item !== 'object' || item === null || Buffer.isBuffer(item)) return item;
    return Object.fromEntries(
      Object.entries(item).map(([key, inner]) => [
        key,
        key === 'data' ? bytes(inner) : key === 'images' ? (inner as unknown[]).map(bytes) : walk(inner),
      ]),
    );
  };
  return walk(value) as Record<string, unknown>;
}
