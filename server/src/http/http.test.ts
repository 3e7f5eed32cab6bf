// Every form of input and answer that HTTP has, against a real server.
import { get } from 'node:http';
import { generator } from '@genserve/proto/wire';
import {
  decodeBody,
  encodeBody,
  FrameReader,
  float32,
  HEAD_LENGTH_HEADER,
  type Message,
  readNpy,
  type Tensor,
  writeNpy,
} from '@genserve/runtime';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Serving, serve } from '../../fixtures/serving.js';
import { encodePng } from '../images/encode.js';

let serving: Serving;
beforeAll(async () => {
  serving = await serve();
});
afterAll(() => serving.close());

/** A binary picture and the same as numbers. */
const levels = Uint8Array.from({ length: 256 }, (_, i) => (i % 3 === 0 ? 255 : 0));
const row = float32(
  [1, 16, 16, 1],
  Float32Array.from(levels, level => level / 255),
);
const picture = () => encodePng({ width: 16, height: 16, channels: 1, data: levels });

async function likelihood(
  body: string | Uint8Array<ArrayBuffer> | object,
  contentType: string,
  query = '',
): Promise<number> {
  const response = await serving.post(`/v1/models/tiny:likelihood${query}`, body, { 'content-type': contentType });
  expect(response.status).toBe(200);
  const { likelihoods } = (await response.json()) as { likelihoods: { logProb: number }[] };
  return likelihoods[0]?.logProb ?? Number.NaN;
}

test('the same picture scores the same as numbers, base64, raw PNG, multipart, .npy and a binary frame', async () => {
  const png = Uint8Array.from(await picture());
  const tensor = { dtype: 'float32', shape: [1, 16, 16, 1], values: Array.from(row.data) };
  const expected = await likelihood({ inputs: { tensor }, seed: 4, draws: 5 }, 'application/json');
  const images = [Buffer.from(png).toString('base64')];
  expect(await likelihood({ inputs: { images }, seed: 4, draws: 5 }, 'application/json')).toBe(expected);
  expect(await likelihood(png, 'image/png', '?seed=4&draws=5')).toBe(expected);
  expect(await likelihood(writeNpy(row.shape, row.data), 'application/x-npy', '?seed=4&draws=5')).toBe(expected);
  expect(await likelihood(writeNpy(row.shape, levels), 'application/x-npy', '?seed=4&draws=5')).toBe(expected);

  const form = new FormData();
  form.append('seed', '4');
  form.append('draws', '5');
  form.append('digit', new Blob([png], { type: 'image/png' }), 'digit.png');
  const sent = new Response(form);
  const body = new Uint8Array(await sent.arrayBuffer());
  expect(await likelihood(body, sent.headers.get('content-type') ?? '')).toBe(expected);

  for (const inputs of [{ tensor: row }, { images: [{ dtype: 'uint8', shape: [png.length], data: png }] }]) {
    const frame = encodeBody({ inputs, seed: 4, draws: 5 } as Message);
    const answer = await serving.post('/v1/models/tiny:likelihood', frame.bytes, {
      'content-type': 'application/octet-stream',
      [HEAD_LENGTH_HEADER]: String(frame.headLength),
    });
    expect(((await answer.json()) as { likelihoods: { logProb: number }[] }).likelihoods[0]?.logProb).toBe(expected);
  }
});

test('samples come as JSON, .npy, a binary frame, lines and a stream of frames: the same numbers', async () => {
  const ask = (accept: string) => serving.post('/v1/models/tiny:sample', { count: 20, seed: 7 }, { accept });
  const json = generator.SampleResponse.fromJSON(await (await ask('application/json')).json());
  expect(json).toMatchObject({ seed: 7, firstIndex: 0, model: 'tiny', version: 1 });
  const expected = new Float32Array(Uint8Array.from(json.samples?.data ?? []).buffer);
  expect(expected).toHaveLength(20 * 256);

  const npy = await ask('application/x-npy');
  expect(readNpy(new Uint8Array(await npy.arrayBuffer()))).toEqual({ shape: [20, 16, 16, 1], data: expected });

  const frame = await ask('application/octet-stream');
  const headLength = Number(frame.headers.get(HEAD_LENGTH_HEADER));
  expect(decodeBody(new Uint8Array(await frame.arrayBuffer()), headLength)).toMatchObject({
    seed: 7,
    samples: { dtype: 'float32', shape: [20, 16, 16, 1], data: expected },
  });

  const lines = await ask('application/x-ndjson');
  expect(lines.headers.get('content-type')).toContain('application/x-ndjson');
  const parts = (await lines.text())
    .trimEnd()
    .split('\n')
    .map(line => generator.SampleResponse.fromJSON(JSON.parse(line)));
  const bytes = Buffer.concat(parts.map(part => part.samples?.data ?? Buffer.alloc(0)));
  expect(new Float32Array(Uint8Array.from(bytes).buffer)).toEqual(expected);

  const frames = await ask('application/x-genserve-frames');
  const reader = new FrameReader();
  const messages = reader.push(new Uint8Array(await frames.arrayBuffer())) as { samples: Tensor; firstIndex: number }[];
  reader.end();
  expect(messages.map(message => message.samples.shape[0]).reduce((sum = 0, rows = 0) => sum + rows, 0)).toBe(20);
  expect(messages.flatMap(message => Array.from(message.samples.data))).toEqual(Array.from(expected));
});

test('image/png is one sheet with the samples in reading order', async () => {
  const response = await serving.post('/v1/models/tiny%3Asample?count=5&seed=2', '', { accept: 'image/png' });
  expect(response.headers.get('content-type')).toBe('image/png');
  const { data, info } = await sharp(Buffer.from(await response.arrayBuffer()))
    .raw()
    .toBuffer({ resolveWithObject: true });
  // 3 columns, 2 lines, 2 pixels between.
  expect([info.width, info.height]).toEqual([3 * 16 + 4, 2 * 16 + 2]);
  const json = await serving.post('/v1/models/tiny:sample', { count: 5, seed: 2, format: 'OUTPUT_FORMAT_UINT8' });
  const { samples } = generator.SampleResponse.fromJSON(await json.json());
  const pixel = (x: number, y: number) => data[(y * info.width + x) * info.channels];
  expect(pixel(18 + 3, 18 + 9)).toBe(samples?.data[4 * 256 + 9 * 16 + 3]);
  expect(pixel(16, 0)).toBe(128);
});

test('OUTPUT_FORMAT_PNG gives one exact picture per sample', async () => {
  const ask = async (format: string) =>
    generator.SampleResponse.fromJSON(
      await (await serving.post('/v1/models/tiny:sample', { count: 3, seed: 2, format })).json(),
    );
  const { images } = await ask('OUTPUT_FORMAT_PNG');
  const { samples } = await ask('OUTPUT_FORMAT_UINT8');
  expect(images).toHaveLength(3);
  const pixels = await sharp(images[1]).toColourspace('b-w').raw().toBuffer();
  expect(pixels.equals(samples?.data.subarray(256, 512) ?? Buffer.alloc(0))).toBe(true);
});

test('zeros are there: nothing that a message has is left out of its JSON', async () => {
  const json = async (path: string, message: object) => (await serving.post(path, message)).json();
  expect(await json('/v1/models/tiny:sample', { seed: 0 })).toMatchObject({ seed: 0, firstIndex: 0 });
  const inputs = { tensor: toJson(row) };
  expect(await json('/v1/models/tiny:likelihood', { inputs, seed: 0, draws: 1 })).toMatchObject({
    likelihoods: [{ standardError: 0 }],
    seed: 0,
  });
});

test('formats have short names: in a message that of its samples, in a URL that of the answer', async () => {
  const pictures = async (format: string) =>
    ((await (await serving.post('/v1/models/tiny:sample', { seed: 2, format })).json()) as { images: string[] }).images;
  expect(await pictures('png')).toEqual(await pictures('OUTPUT_FORMAT_PNG'));
  const typeOf = async (path: string, message: object = {}) => {
    const response = await serving.post(`/v1/models/tiny:${path}`, message);
    return [response.status, response.headers.get('content-type')];
  };
  expect(await typeOf('sample?format=png')).toEqual([200, 'image/png']);
  expect(await typeOf('sample?format=npy')).toEqual([200, 'application/x-npy']);
  expect(await typeOf('sample?format=ndjson')).toEqual([200, expect.stringContaining('application/x-ndjson')]);
  expect(await typeOf('sample?format=uint8')).toEqual([200, expect.stringContaining('application/json')]);
  expect(await typeOf('encode?format=npy', { inputs: { tensor: toJson(row) } })).toEqual([
    415,
    expect.stringContaining('application/json'),
  ]);
});

test('generation from labels, latents, an interpolation and a picture to complete', async () => {
  const ask = async (model: string, message: object) =>
    generator.SampleResponse.fromJSON(await (await serving.post(`/v1/models/${model}:generate`, message)).json());
  const labelled = await ask('tiny-rows', { count: 3, seed: 1, conditions: { labels: [1] } });
  expect(labelled.labels).toEqual([1, 1, 1]);

  const encoded = await serving.post('/v1/models/tiny:encode', { inputs: { tensor: toJson(row) } });
  const { latents } = generator.EncodeResponse.fromJSON(await encoded.json());
  const z = generator.Tensor.toJSON(latents.z ?? generator.Tensor.create());
  const decoded = await ask('tiny', { latents: { values: { z } } });
  const between = await ask('tiny', { interpolation: { from: { values: { z } }, to: { values: { z } }, steps: 3 } });
  expect(between.samples?.shape).toEqual([3, 16, 16, 1]);
  expect(between.samples?.data.subarray(0, 1024).equals(decoded.samples?.data ?? Buffer.alloc(0))).toBe(true);

  const { manifest } = generator.GetModelResponse.fromJSON(
    await (await fetch(`${serving.url}/v1/models/tiny-rows`)).json(),
  );
  const { height = 0, width = 0 } = manifest?.domain?.image ?? {};
  const known = Float32Array.from({ length: height * width }, (_, i) => (i < width ? 1 : 0));
  const image = { tensor: toJson(float32([1, height, width, 1], known)) };
  const mask = toJson(float32([1, height, width, 1], known));
  const completed = await ask('tiny-rows', { seed: 9, completion: { image, mask } });
  const values = new Float32Array(Uint8Array.from(completed.samples?.data ?? []).buffer);
  expect(Array.from(values.subarray(0, width))).toEqual(Array(width).fill(1));
});

test('an anomaly comes with p-value, decision and, on request, a map and a heat map', async () => {
  const png = Uint8Array.from(await picture());
  const response = await serving.post('/v1/models/tiny:anomaly?map=true&scores=nll,reconstruction', png, {
    'content-type': 'image/png',
  });
  const { results } = generator.ScoreAnomalyResponse.fromJSON(await response.json());
  const [result] = results;
  expect(result?.scores.map(({ name }) => name)).toEqual(['nll', 'reconstruction']);
  expect(result?.scores[0]).toMatchObject({ decision: 'anomalous', pValue: 1 / 200, recommended: true, unit: 'nats' });
  expect(result?.map?.shape).toEqual([16, 16]);
  const heat = await serving.post('/v1/models/tiny:anomaly', png, { 'content-type': 'image/png', accept: 'image/png' });
  expect(await sharp(Buffer.from(await heat.arrayBuffer())).metadata()).toMatchObject({ width: 16, height: 16 });
});

test('a parameter that is repeated is a list, and an error where the field is none', async () => {
  const png = Uint8Array.from(await picture());
  const ask = (query: string) => serving.post(`/v1/models/tiny:anomaly?${query}`, png, { 'content-type': 'image/png' });
  const both = await (await ask('scores=nll&scores=reconstruction')).json();
  expect(both).toEqual(await (await ask('scores=nll,reconstruction')).json());
  const twice = await ask('alpha=0.1&alpha=0.2');
  expect(twice.status).toBe(400);
  expect(await twice.json()).toMatchObject({ error: { reason: 'INVALID_ARGUMENT', field: 'alpha' } });
});

test('pictures of another size are refused unless fit says how, and invert swaps black and white', async () => {
  const large = Uint8Array.from(
    await sharp(await picture())
      .resize(32, 32, { kernel: 'nearest' })
      .png()
      .toBuffer(),
  );
  const refused = await serving.post('/v1/models/tiny:likelihood', large, { 'content-type': 'image/png' });
  expect(refused.status).toBe(400);
  expect(((await refused.json()) as { error: { field: string } }).error.field).toBe('inputs.images[0]');
  expect(Number.isFinite(await likelihood(large, 'image/png', '?fit=contain'))).toBe(true);

  const png = Uint8Array.from(await picture());
  const negative = Uint8Array.from(await sharp(png).negate().png().toBuffer());
  const expected = await likelihood(png, 'image/png', '?seed=1');
  expect(await likelihood(negative, 'image/png', '?seed=1&invert=true')).toBe(expected);
});

test('a picture of too many pixels is refused before it is decoded', async () => {
  const bomb = await sharp({ create: { width: 5000, height: 5000, channels: 3, background: 'black' } })
    .png()
    .toBuffer();
  const response = await serving.post('/v1/models/tiny:encode', Uint8Array.from(bomb), { 'content-type': 'image/png' });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { field: 'inputs.images[0]', reason: 'INVALID_ARGUMENT' } });
});

test('bundle files: the very bytes, an ETag, immutable, in ranges, and nothing beside them', async () => {
  const file = `${serving.url}/bundles/tiny/1/weights.bin`;
  const whole = await fetch(file);
  const bytes = new Uint8Array(await whole.arrayBuffer());
  const etag = whole.headers.get('etag') ?? '';
  expect(etag).toMatch(/^"[0-9a-f]{64}"$/);
  expect(whole.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
  expect(whole.headers.get('access-control-allow-origin')).toBe('*');
  const range = await fetch(file, { headers: { range: 'bytes=8-15' } });
  expect(range.status).toBe(206);
  expect(new Uint8Array(await range.arrayBuffer())).toEqual(bytes.subarray(8, 16));
  expect(await statusOf(file, { 'if-none-match': etag })).toBe(304);
  expect(((await (await fetch(`${serving.url}/bundles/tiny/1/manifest.json`)).json()) as { name: string }).name).toBe(
    'tiny',
  );
  for (const path of ['tiny/1/nothing.bin', 'tiny/2/weights.bin', 'tiny/1/..%2f..%2ftiny-rows%2f1%2fweights.bin']) {
    expect((await fetch(`${serving.url}/bundles/${path}`)).status).toBe(404);
  }
});

test('every answer has a request id, security headers and CORS; preflights are answered', async () => {
  const response = await fetch(`${serving.url}/v1/models`, { headers: { 'x-request-id': 'mine-1' } });
  expect(response.headers.get('x-request-id')).toBe('mine-1');
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  expect(response.headers.get('cross-origin-embedder-policy')).toBe('require-corp');
  expect(
    (await fetch(`${serving.url}/v1/models`, { headers: { 'x-request-id': 'no spaces' } })).headers.get('x-request-id'),
  ).toMatch(/^[0-9a-f-]{36}$/);
  const preflight = await fetch(`${serving.url}/v1/models/tiny:sample`, { method: 'OPTIONS' });
  expect(preflight.status).toBe(204);
  expect(preflight.headers.get('access-control-allow-headers')).toContain(HEAD_LENGTH_HEADER);
});

test('a deadline that passes and a caller who hangs up end the request', async () => {
  const [pid = 0] = serving.server.executors;
  process.kill(pid, 'SIGSTOP');
  try {
    const late = await serving.post('/v1/models/tiny:sample', {}, { 'x-request-timeout': '0.2' });
    expect(late.status).toBe(504);
    expect(await late.json()).toMatchObject({ error: { reason: 'DEADLINE_EXCEEDED' } });
    const controller = new AbortController();
    const gone = fetch(`${serving.url}/v1/models/tiny:sample`, { method: 'POST', signal: controller.signal });
    setTimeout(() => controller.abort(), 100);
    await expect(gone).rejects.toThrow();
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  expect((await serving.post('/v1/models/tiny:sample', {})).status).toBe(200);
});

test('without a playground, / lists example calls, which work', async () => {
  const page = await (await fetch(serving.url)).text();
  const url = /'(http:[^']*:sample[^']*)'/.exec(page)?.[1] ?? '';
  const response = await fetch(url, { method: 'POST', headers: { accept: 'image/png' } });
  expect(response.headers.get('content-type')).toBe('image/png');
});

/** By node:http: fetch asks past every cache when it is given such a header. */
function statusOf(url: string, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get(url, { headers }, response => {
      response.resume();
      resolve(response.statusCode);
    }).on('error', reject);
  });
}

function toJson({ dtype, shape, data }: Tensor) {
  return { dtype, shape, data: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64') };
}
