// What the Open Inference Protocol has over REST alone: paths, bodies that mix JSON and raw tensors, headers, JSON's limits.
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixtures } from '../support/paths.js';
import { type ServedModels, serve } from '../support/serve.js';
import { toRaw } from './raw-tensors.js';
import { headLengthHeader, readRest } from './styles.js';

let served: ServedModels;
beforeAll(async () => {
  served = await serve({ models: fixtures });
});
afterAll(() => served[Symbol.asyncDispose]());

const pixels = Array.from({ length: 256 }, (_, i) => i % 2);
const head = { name: 'x', datatype: 'FP32', shape: [1, 16, 16, 1] };
const raw = toRaw('FP32', pixels);

type Body = string | Buffer | object;

async function send(method: string, path: string, body?: Body, headers: Record<string, string> = {}) {
  const text = typeof body === 'string' || body === undefined ? body : JSON.stringify(body);
  const content = Buffer.isBuffer(body) ? Uint8Array.from(body) : (text ?? null);
  const response = await fetch(served.url + path, { method, headers, body: content });
  const bytes = Buffer.from(await response.arrayBuffer());
  const headLength = Number(response.headers.get(headLengthHeader) ?? bytes.length);
  return { status: response.status, headers: response.headers, bytes, headLength };
}

const infer = async (model: string, body: Body, headers: Record<string, string> = {}) => {
  const { status, bytes, headLength } = await send('POST', `v2/models/${model}/infer`, body, headers);
  expect(status, bytes.toString().slice(0, 200)).toBe(200);
  return readRest(bytes, headLength);
};
const json = async (path: string, status = 200) => {
  const answer = await send('GET', path);
  expect(answer.status).toBe(status);
  return JSON.parse(answer.bytes.toString());
};

describe('what describes the server and its models', () => {
  it('is live and ready', async () => {
    expect(await json('v2/health/live')).toEqual({ live: true });
    expect(await json('v2/health/ready')).toEqual({ ready: true });
  });

  it('names itself and its extensions', async () => {
    const extensions = ['binary_tensor_data', 'model_repository', 'model_configuration', 'parameters', 'statistics'];
    expect(await json('v2')).toEqual({ name: 'genserve', version: expect.stringMatching(/^\d/), extensions });
    expect(await json('v2/')).toMatchObject({ name: 'genserve' });
  });

  it.each(['v2/models/tiny.log_prob', 'v2/models/tiny.log_prob/versions/1'])(
    '%s: names, datatypes, shapes',
    async path => {
      expect(await json(path)).toEqual({
        name: 'tiny.log_prob',
        versions: ['1'],
        platform: 'onnx_onnxv1',
        inputs: [
          { name: 'x', datatype: 'FP32', shape: [-1, 16, 16, 1] },
          { name: 'epsilon', datatype: 'FP32', shape: [-1, 16, 16, 1] },
        ],
        outputs: [{ name: 'log_prob', datatype: 'FP32', shape: [-1] }],
        properties: {
          family: expect.any(String),
          optional_inputs: 'epsilon',
          models: expect.stringContaining('tiny.encode'),
        },
      });
      expect(await json(`${path}/ready`)).toEqual({ name: 'tiny.log_prob', ready: true });
    },
  );

  it('tells its configuration as Triton would: shapes without the batch', async () => {
    expect(await json('v2/models/tiny.encode/config')).toEqual({
      name: 'tiny.encode',
      platform: 'onnxruntime_onnx',
      backend: 'onnxruntime',
      max_batch_size: 10_000,
      input: [
        { name: 'x', data_type: 'TYPE_FP32', dims: [16, 16, 1], optional: false },
        { name: 'epsilon', data_type: 'TYPE_FP32', dims: [16, 16, 1], optional: true },
      ],
      output: [{ name: 'z', data_type: 'TYPE_FP32', dims: [16, 16, 1] }],
    });
    expect(await json('v2/models/tiny-rows/config')).toMatchObject({ max_batch_size: 0 });
  });

  it('lists its repository', async () => {
    const { status, bytes } = await send('POST', 'v2/repository/index', { ready: true });
    expect(status).toBe(200);
    expect(JSON.parse(bytes.toString())).toEqual(
      ['tiny', 'tiny-rows'].map(name => ({ name, version: '1', state: 'READY', reason: '' })),
    );
  });
});

describe('tensors in JSON', () => {
  const parameters = { seed: 3 };

  it('are flat or nested', async () => {
    const nested = [Array.from({ length: 16 }, (_, y) => pixels.slice(16 * y, 16 * y + 16).map(value => [value]))];
    const flat = await infer('tiny.log_prob', { inputs: [{ ...head, data: pixels }], parameters });
    expect(await infer('tiny.log_prob', { inputs: [{ ...head, data: nested }], parameters })).toEqual(flat);
  });

  it('of BOOL are true and false', async () => {
    const flags = { ...head, datatype: 'BOOL', data: pixels.map(Boolean) };
    const flat = await infer('tiny.log_prob', { inputs: [{ ...head, data: pixels }], parameters });
    expect(await infer('tiny.log_prob', { inputs: [flags], parameters })).toEqual(flat);
  });
});

describe('binary tensors', () => {
  const binaryInput = { ...head, parameters: { binary_data_size: raw.length } };
  const withHead = (object: object, ...tensors: Buffer[]) => {
    const text = Buffer.from(JSON.stringify(object));
    return [Buffer.concat([text, ...tensors]), { [headLengthHeader]: String(text.length) }] as const;
  };

  it("mix with JSON; an output's own wish wins over the request's", async () => {
    const image = { name: 'known_pixels', datatype: 'FP32', shape: [1, 4, 3, 1] };
    const ones = toRaw('FP32', Array(12).fill(1));
    const body = {
      inputs: [
        { ...image, parameters: { binary_data_size: 48 } },
        { name: 'label', datatype: 'INT32', shape: [1], data: [1] },
        { ...image, name: 'mask', parameters: { binary_data_size: 48 } },
      ],
      outputs: [{ name: 'x', parameters: { binary_data: false } }, { name: 'last_out' }],
      parameters: { seed: 1, binary_data_output: true },
    };
    const [bytes, headers] = withHead(body, ones, ones);
    const answer = await send('POST', 'v2/models/tiny-rows.complete/infer', bytes, headers);
    const [x, last] = JSON.parse(answer.bytes.subarray(0, answer.headLength).toString()).outputs;
    expect(x).toMatchObject({ shape: [1, 4, 3, 1], data: Array(12).fill(1) });
    expect(last).toEqual({ name: 'last_out', datatype: 'FP32', shape: [1], parameters: { binary_data_size: 4 } });
    expect(answer.bytes.length).toBe(answer.headLength + 4);
  });

  it('may be the whole body, where one input must be given', async () => {
    const bare = await infer('tiny.reconstruct', raw, { [headLengthHeader]: '0' });
    expect(bare).toEqual(await infer('tiny.reconstruct', { inputs: [{ ...head, data: pixels }] }));
  });

  it.each<[string, string, Body, Record<string, string>, RegExp]>([
    [
      'a head of a negative length',
      'tiny',
      '{"inputs":[]}',
      { [headLengthHeader]: '-1' },
      /Inference-Header-Content-Length.*"-1"/,
    ],
    ['a head in words', 'tiny', '{"inputs":[]}', { [headLengthHeader]: 'x' }, /Inference-Header-Content-Length.*"x"/],
    [
      'a head longer than the body',
      'tiny',
      '{"inputs":[]}',
      { [headLengthHeader]: '99' },
      /Inference-Header-Content-Length/,
    ],
    [
      'a tensor longer than the body',
      'tiny.log_prob',
      ...withHead({ inputs: [binaryInput] }, raw.subarray(1)),
      /only 1023 bytes are left/,
    ],
    [
      'bytes that no input states',
      'tiny.log_prob',
      ...withHead({ inputs: [binaryInput] }, raw, raw),
      /2048 bytes follow/,
    ],
    [
      'a size that is not of the shape',
      'tiny.log_prob',
      ...withHead({ inputs: [{ ...binaryInput, shape: [1, 8, 8, 1] }] }, raw),
      /must be 256 bytes/,
    ],
    [
      'a size in words',
      'tiny.log_prob',
      ...withHead({ inputs: [{ ...head, parameters: { binary_data_size: '9' } }] }, raw),
      /must be a count of bytes/,
    ],
    ['a bare tensor for a model without inputs', 'tiny', raw, { [headLengthHeader]: '0' }, /needs 0/],
    [
      'a bare tensor of another size',
      'tiny.encode',
      raw.subarray(4),
      { [headLengthHeader]: '0' },
      /body: must be 1024 bytes/,
    ],
    [
      'BOOL that is neither 0 nor 1',
      'tiny.log_prob',
      ...withHead(
        { inputs: [{ ...head, datatype: 'BOOL', parameters: { binary_data_size: 256 } }] },
        Buffer.alloc(256, 2),
      ),
      /0 to 1 for BOOL, has 2/,
    ],
    [
      'INT64 beyond 2^53',
      'tiny.log_prob',
      ...withHead(
        { inputs: [{ ...head, datatype: 'INT64', parameters: { binary_data_size: 2048 } }] },
        Buffer.alloc(2048, 0x7f),
      ),
      /INT64, has/,
    ],
  ])('refuses %s', async (_, model, body, headers, message) => {
    const answer = await send('POST', `v2/models/${model}/infer`, body, headers);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.bytes.toString())).toEqual({ error: expect.stringMatching(message) });
  });
});

const inputs = [{ ...head, data: pixels }];
const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;

describe('every failure is {"error": string}', () => {
  it.each<[string, string, string, Body | undefined, number, RegExp]>([
    ['no JSON', 'POST', 'v2/models/tiny/infer', '{"inputs":', 400, /^INVALID_ARGUMENT: body: must be JSON/],
    ['a list', 'POST', 'v2/models/tiny/infer', '[]', 400, /body/],
    ['no inputs', 'POST', 'v2/models/tiny/infer', {}, 400, /inputs/],
    ['inputs that are none', 'POST', 'v2/models/tiny/infer', { inputs: 'all' }, 400, /inputs/],
    [
      'a shape in words',
      'POST',
      'v2/models/tiny/infer',
      { inputs: [{ ...head, shape: 'flat' }] },
      400,
      /inputs\[0\]\.shape/,
    ],
    [
      'a negative length',
      'POST',
      'v2/models/tiny/infer',
      { inputs: [{ ...head, shape: [-1] }] },
      400,
      /inputs\[0\]\.shape\[0\]/,
    ],
    ['no data', 'POST', 'v2/models/tiny.log_prob/infer', { inputs: [head] }, 400, /inputs\[0\]\.data: must be numbers/],
    [
      'text for numbers',
      'POST',
      'v2/models/tiny.log_prob/infer',
      { inputs: [{ ...head, data: 'abc' }] },
      400,
      /numbers, has "abc"/,
    ],
    [
      'null among numbers',
      'POST',
      'v2/models/tiny.log_prob/infer',
      { inputs: [{ ...head, data: [null] }] },
      400,
      /numbers, has null/,
    ],
    [
      'NaN as the text it is here',
      'POST',
      'v2/models/tiny.log_prob/infer',
      { inputs: [{ ...head, data: pixels.map(() => 'NaN') }] },
      400,
      /was NaN/,
    ],
    [
      'lists a hundred thousand deep',
      'POST',
      'v2/models/tiny.log_prob/infer',
      `{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":${deep}}]}`,
      400,
      /numbers/,
    ],
    [
      'a parameter that is a list',
      'POST',
      'v2/models/tiny/infer',
      { inputs: [], parameters: { seed: [1] } },
      400,
      /parameters\.seed/,
    ],
    [
      'shared memory',
      'POST',
      'v2/models/tiny.log_prob/infer',
      { inputs: [{ ...head, parameters: { shared_memory_region: 'r' } }] },
      501,
      /shared memory is not supported/,
    ],
    [
      'shared memory for an output',
      'POST',
      'v2/models/tiny.log_prob/infer',
      { inputs, outputs: [{ name: 'log_prob', parameters: { shared_memory_region: 'r' } }] },
      501,
      /shared memory/,
    ],
    [
      'classification',
      'POST',
      'v2/models/tiny.log_prob/infer',
      { inputs, outputs: [{ name: 'log_prob', parameters: { classification: 3 } }] },
      501,
      /classification/,
    ],
    ['an unknown model', 'GET', 'v2/models/nothing', undefined, 404, /^MODEL_NOT_FOUND/],
    ['readiness of an unknown model', 'GET', 'v2/models/nothing/ready', undefined, 404, /^MODEL_NOT_FOUND/],
    ['statistics of an unknown model', 'GET', 'v2/models/nothing/stats', undefined, 404, /^MODEL_NOT_FOUND/],
    ['configuration of an unknown version', 'GET', 'v2/models/tiny/versions/9/config', undefined, 404, /version 9/],
    ['an unknown path', 'GET', 'v2/nowhere', undefined, 404, /there is no \/v2\/nowhere/],
    ['GET for POST', 'GET', 'v2/models/tiny/infer', undefined, 405, /^METHOD_NOT_ALLOWED.*POST/],
    ['POST for GET', 'POST', 'v2/models/tiny', {}, 405, /^METHOD_NOT_ALLOWED.*GET/],
    ['POST for health', 'POST', 'v2/health/ready', {}, 405, /^METHOD_NOT_ALLOWED.*GET/],
    ['a repository that is none', 'POST', 'v2/repository/other/index', {}, 400, /repository_name/],
  ])('%s', async (_, method, path, body, status, message) => {
    const answer = await send(method, path, body);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.bytes.toString())).toEqual({ error: expect.stringMatching(message) });
    expect(answer.headers.get('x-request-id')).toMatch(/./);
    if (status === 405) expect(answer.headers.get('allow')).toMatch(/GET|POST/);
  });

  it('unknown fields are let through, as clients of other servers send them', async () => {
    const body = { inputs: [], parameters: { seed: 1, sequence_id: 7 }, priority: 3 };
    expect((await infer('tiny', body)).outputs).toHaveLength(1);
  });
});

describe('compressed bodies', () => {
  const plain = JSON.stringify({ inputs, parameters: { seed: 3 } });

  it('are taken', async () => {
    const compressed = await infer('tiny.log_prob', gzipSync(plain), { 'content-encoding': 'gzip' });
    expect(compressed).toEqual(await infer('tiny.log_prob', plain));
  });

  it.each([
    ['that are none', Buffer.from(plain), 400, 'gzip'],
    ['of too many bytes', gzipSync(Buffer.alloc(64 * 1024 * 1024)), 413, 'gzip'],
    ['in an unknown encoding', Buffer.from(plain), 415, 'zstd'],
  ])('%s are refused', async (_, body, status, encoding) => {
    const answer = await send('POST', 'v2/models/tiny/infer', body, { 'content-encoding': encoding });
    expect(answer.status).toBe(status);
    if (status === 415) expect(answer.headers.get('accept-encoding')).toContain('gzip');
  });
});
