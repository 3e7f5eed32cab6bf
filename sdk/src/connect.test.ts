import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { decodeBody, encodeBody, encodeFrame, HEAD_LENGTH_HEADER } from '@genserve/runtime';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connect, float32, GenserveError, listModels, type RemoteGenerator } from './index.js';

// A server that answers by script: it says what the real one says when it is overloaded, gone, or old. That the real
// one and this client understand each other is tested in tests/.

interface Seen {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

type Reply = (response: ServerResponse) => void;

const manifestUrl = new URL('../../runtime/fixtures/tiny/1/manifest.json', import.meta.url);
const server = createServer();
const seen: Seen[] = [];
const script: Reply[] = [];
let base = '';
let remote: RemoteGenerator;

const json =
  (body: unknown, status = 200, headers = {}): Reply =>
  response =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
const failing = (status: number, reason: string, headers = {}): Reply =>
  json({ error: { reason, message: `${reason} it is`, field: 'count', requestId: 'r1' } }, status, headers);
const binary =
  (message: unknown): Reply =>
  response => {
    const { headLength, bytes } = encodeBody(message);
    response.writeHead(200, { 'content-type': 'application/octet-stream', [HEAD_LENGTH_HEADER]: headLength });
    response.end(bytes);
  };

const row = float32([1, 2], [0.25, -4]);
const samples = { samples: { dtype: 'float32', shape: [1, 2], data: 'AACAPgAAgMA=' }, seed: '7', model: 'tiny' };

beforeAll(async () => {
  server.on('request', async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    seen.push({ path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks) });
    const reply = script.shift() ?? failing(500, 'INTERNAL');
    reply(response);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  base = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  const manifest: unknown = JSON.parse(await readFile(manifestUrl, 'utf8'));
  script.push(json({ manifest, state: 'ready', bundlePath: '/bundles/tiny/1/' }));
  remote = await connect(base, { model: 'tiny', headers: { authorization: 'Bearer key' } });
});
beforeEach(() => {
  script.length = 0;
  seen.length = 0;
});
afterAll(() => server.close());

async function failureOf(call: Promise<unknown>): Promise<GenserveError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(GenserveError);
  return error as GenserveError; // just checked
}

describe('a model on a server', () => {
  it('knows its manifest and where its bundle lies', () => {
    expect(remote.manifest.name).toBe('tiny');
    expect(remote.bundleUrl).toBe(`${base}/bundles/tiny/1/`);
    expect(remote.backend).toBe('server');
  });

  it('asks its own version, with the headers that it was given, and reads base64', async () => {
    script.push(json(samples));
    const drawn = await remote.sample({ count: 1, seed: 7, temperature: 0.5 });
    expect(drawn).toEqual({ data: row, seed: 7, firstIndex: 0 });
    expect(seen[0]?.path).toBe('/v1/models/tiny/versions/1:sample');
    expect(seen[0]?.headers.authorization).toBe('Bearer key');
    expect(JSON.parse(String(seen[0]?.body))).toEqual({ count: 1, seed: 7, temperature: 0.5 });
  });

  it('reads binary bodies', async () => {
    script.push(binary({ samples: row, seed: 7, firstIndex: 3, labels: [4] }));
    expect(await remote.sample({ seed: 7, firstIndex: 3, label: 4 })).toEqual({
      data: row,
      seed: 7,
      firstIndex: 3,
      labels: [4],
    });
    expect(seen[0]?.path).toBe('/v1/models/tiny/versions/1:generate');
    expect(seen[0]?.headers.accept).toMatch(/^application\/octet-stream/);
  });

  it('sends tensors as raw bytes, and as base64 from the first refusal on', async () => {
    script.push(binary({ latents: { z: row } }), failing(415, 'UNSUPPORTED_MEDIA_TYPE'), json({}), json({}));
    expect(await remote.encode(row)).toEqual({ z: row });
    const { headers, body } = seen[0]!;
    expect(decodeBody(body, Number(headers[HEAD_LENGTH_HEADER.toLowerCase()]))).toEqual({ inputs: { tensor: row } });
    await remote.encode(row);
    await remote.encode(row);
    const types = seen.slice(1).map(request => request.headers['content-type']);
    expect(types).toEqual(['application/octet-stream', 'application/json', 'application/json']);
    expect(JSON.parse(String(seen[3]?.body))).toEqual({ inputs: { tensor: samples.samples } });
  });

  it('asks for an operation on its own ports by the Open Inference Protocol', async () => {
    const outputs = [{ name: 'z', datatype: 'FP32', shape: [1, 2], data: [0.1, 'NaN'] }];
    script.push(json({ model_name: 'tiny.encode', outputs }));
    const { z } = await remote.infer('encode', { x: float32([1, 1], [0.1]) }, { seed: 5 });
    expect(z).toEqual(float32([1, 2], [0.1, Number.NaN]));
    const [{ path, body }] = seen as [(typeof seen)[number]];
    expect(path).toBe('/v2/models/tiny.encode/versions/1/infer');
    const x = { name: 'x', datatype: 'FP32', shape: [1, 1], data: [Math.fround(0.1)] };
    expect(JSON.parse(String(body))).toEqual({ parameters: { seed: 5 }, inputs: [x], outputs: [{ name: 'z' }] });
  });

  it('reads scores, and p-values where there are any', async () => {
    const score = { name: 'nll', value: 'Infinity', decision: 'unsure', unit: 'nats' };
    script.push(
      json({
        results: [{ scores: [score, { ...score, value: 2, pValue: 0, recommended: true }], map: samples.samples }],
      }),
    );
    expect(await remote.anomaly(row, { map: true })).toEqual([
      {
        scores: [
          { name: 'nll', value: Infinity, decision: 'unsure', unit: 'nats', recommended: false },
          { name: 'nll', value: 2, pValue: 0, decision: 'unsure', unit: 'nats', recommended: true },
        ],
        map: row,
      },
    ]);
  });

  it.each([
    ['lines', (message: unknown) => `${JSON.stringify(message)}\n`, 'application/x-ndjson'],
    ['frames', encodeFrame, 'application/x-genserve-frames'],
  ])('reads a stream of %s that comes in pieces, up to the error that ends it', async (_form, encode, type) => {
    script.push(response => {
      response.writeHead(200, { 'content-type': type });
      const error = { reason: 'EXECUTOR_LOST', message: 'it went away' };
      const parts = [samples, { ...samples, firstIndex: 1 }].map(part =>
        type.includes('frames') ? { ...part, samples: row } : part,
      );
      const bytes = Buffer.concat([...parts, { error }].map(part => Buffer.from(encode(part))));
      for (let start = 0; start < bytes.length; start += 37) response.write(bytes.subarray(start, start + 37));
      response.end();
    });
    const indices: number[] = [];
    const error = await failureOf(
      (async () => {
        for await (const { firstIndex, data } of remote.sampleStream({ count: 2, seed: 7 })) {
          expect(data).toEqual(row);
          indices.push(firstIndex);
        }
      })(),
    );
    expect(indices).toEqual([0, 1]);
    expect(error.reason).toBe('EXECUTOR_LOST');
  });

  it('lists models', async () => {
    script.push(
      json({
        models: [
          { name: 'tiny', versions: [1], state: 'ready', operations: ['sample'] },
          { name: 'x', state: 'odd' },
        ],
      }),
    );
    const models = await listModels(base);
    expect(models.map(({ name, state }) => [name, state])).toEqual([
      ['tiny', 'ready'],
      ['x', 'unavailable'],
    ]);
  });
});

describe('what goes wrong', () => {
  it("is the server's own error, with its field", async () => {
    script.push(failing(400, 'INVALID_ARGUMENT'));
    const error = await failureOf(remote.sample());
    expect(error.toJSON()).toEqual({
      reason: 'INVALID_ARGUMENT',
      message: 'INVALID_ARGUMENT it is',
      field: 'count',
      requestId: 'r1',
    });
    expect(seen).toHaveLength(1);
  });

  it('is read from the one string of the Open Inference Protocol', async () => {
    const error = 'INVALID_ARGUMENT: inputs[0]: must have shape [1, 16, 16, 1]';
    script.push(response => response.writeHead(400).end(JSON.stringify({ error })));
    const message = 'inputs[0]: must have shape [1, 16, 16, 1]';
    expect(await failureOf(remote.infer('encode', {}))).toMatchObject({ reason: 'INVALID_ARGUMENT', message });
  });

  it('is INTERNAL for a reason that is not known here, of a newer server', async () => {
    script.push(failing(400, 'FROM_THE_FUTURE'));
    expect(await failureOf(remote.sample())).toMatchObject({ reason: 'INTERNAL', message: 'FROM_THE_FUTURE it is' });
  });

  it('is tried again no sooner than the server asks', async () => {
    script.push(failing(429, 'OVERLOADED', { 'retry-after': '1' }), json(samples));
    const start = performance.now();
    expect((await remote.sample({ seed: 7 })).data).toEqual(row);
    expect(performance.now() - start).toBeGreaterThanOrEqual(990);
    expect(seen).toHaveLength(2);
  });

  it('is told after the last retry', async () => {
    script.push(...Array.from({ length: 5 }, () => failing(503, 'MODEL_UNAVAILABLE', { 'retry-after': '0' })));
    expect((await failureOf(remote.sample())).reason).toBe('MODEL_UNAVAILABLE');
    expect(seen).toHaveLength(3);
  });

  it('is named by its status where something in between answers', async () => {
    const page: Reply = response =>
      response.writeHead(502, { 'content-type': 'text/html', 'retry-after': '0' }).end('<h1>');
    script.push(page, page, page);
    const error = await failureOf(remote.sample());
    expect(error.reason).toBe('MODEL_UNAVAILABLE');
    expect(error.message).toContain(`${base}/v1/models/tiny/versions/1:sample answered 502`);
  });

  it('names the address where nobody answers', async () => {
    const error = await failureOf(connect('http://127.0.0.1:9', { model: 'tiny', retries: 0 }));
    expect(error.reason).toBe('ASSET_UNREACHABLE');
    expect(error.message).toContain('http://127.0.0.1:9/v1/models/tiny');
  });

  it('names the address where the answer is no genserve', async () => {
    script.push(json([1, 2]));
    expect((await failureOf(connect(base, { model: 'tiny' }))).message).toMatch(/genserve server/);
  });

  it('ends with the deadline, retries included', async () => {
    script.push(failing(429, 'OVERLOADED', { 'retry-after': '20' }));
    const manifest: unknown = JSON.parse(await readFile(manifestUrl, 'utf8'));
    script.unshift(json({ manifest }));
    const hurried = await connect(base, { model: 'tiny', timeoutMs: 150 });
    const start = performance.now();
    expect((await failureOf(hurried.sample())).reason).toBe('DEADLINE_EXCEEDED');
    expect(performance.now() - start).toBeLessThan(1000);
  });

  it.each([
    ['while the server works', (): Reply => () => undefined],
    ['while it waits to try again', () => failing(429, 'OVERLOADED', { 'retry-after': '20' })],
  ])('stops at an abort %s', async (_when, reply) => {
    script.push(reply());
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 50);
    const start = performance.now();
    expect((await failureOf(remote.sample({ signal: abort.signal }))).reason).toBe('CANCELLED');
    expect(performance.now() - start).toBeLessThan(1000);
  });
});
