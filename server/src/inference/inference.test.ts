// The Open Inference Protocol v2, REST and gRPC, as its clients speak it.
import { inference } from '@genserve/proto/wire';
import { HEAD_LENGTH_HEADER } from '@genserve/runtime';
import { credentials, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readFailure, type Serving, serve } from '../../fixtures/serving.js';

let serving: Serving;
let client: inference.GRPCInferenceServiceClient;
beforeAll(async () => {
  serving = await serve();
  client = new inference.GRPCInferenceServiceClient(
    `127.0.0.1:${serving.server.grpcPort}`,
    credentials.createInsecure(),
  );
});
afterAll(async () => {
  client.close();
  await serving.close();
});

interface RestTensor {
  name: string;
  datatype: string;
  shape: number[];
  data?: number[];
  parameters?: { binary_data_size: number };
}
interface RestAnswer {
  model_name: string;
  model_version: string;
  id?: string;
  outputs: RestTensor[];
}

const get = async (path: string) => (await fetch(serving.url + path)).json();
const infer = async (path: string, body: object) => {
  const response = await serving.post(`/v2/models/${path}/infer`, body);
  return { status: response.status, body: (await response.json()) as RestAnswer & { error?: string } };
};
const pixels = Array.from({ length: 256 }, (_, i) => i % 2);
const x = { name: 'x', datatype: 'FP32', shape: [1, 16, 16, 1], data: pixels };

const modelInfer = (request: Partial<inference.ModelInferRequest>) =>
  new Promise<inference.ModelInferResponse>((resolve, reject) => {
    client.modelInfer(inference.ModelInferRequest.fromPartial(request), (error, response) =>
      error ? reject(error) : resolve(response),
    );
  });

test('server and model metadata', async () => {
  expect(await get('/v2')).toMatchObject({ name: 'genserve', extensions: ['binary_tensor_data'] });
  expect(await get('/v2/models/tiny.log_prob/versions/1')).toEqual({
    name: 'tiny.log_prob',
    versions: ['1'],
    platform: 'onnx_onnxv1',
    inputs: [
      { name: 'x', datatype: 'FP32', shape: [-1, 16, 16, 1] },
      { name: 'epsilon', datatype: 'FP32', shape: [-1, 16, 16, 1] },
    ],
    outputs: [{ name: 'log_prob', datatype: 'FP32', shape: [-1] }],
  });
  expect(await get('/v2/models/tiny/ready')).toEqual({ name: 'tiny', ready: true });
  for (const path of ['/v2/health/live', '/v2/health/ready'])
    expect((await fetch(serving.url + path)).status).toBe(200);
});

test('the bare name samples: noise drawn from seed and first_index is that of /v1', async () => {
  const { body } = await infer('tiny', { id: 'a', inputs: [], parameters: { seed: 5, first_index: 2, count: 3 } });
  expect(body).toMatchObject({ model_name: 'tiny', model_version: '1', id: 'a' });
  const [output] = body.outputs;
  expect(output).toMatchObject({ name: 'x', datatype: 'FP32', shape: [3, 16, 16, 1] });
  const response = await serving.post('/v1/models/tiny:sample', { count: 3, seed: 5, firstIndex: 2 });
  const { samples } = (await response.json()) as { samples: { data: string } };
  const expected = new Float32Array(Uint8Array.from(Buffer.from(samples.data, 'base64')).buffer);
  expect(Float32Array.from(output?.data ?? [])).toEqual(expected);
});

test('flat, nested, binary and bare tensors give the same answer', async () => {
  const parameters = { seed: 3 };
  const flat = await infer('tiny.log_prob', { inputs: [x], parameters });
  expect(flat.status).toBe(200);
  const nested = Array.from({ length: 16 }, (_, y) => Array.from({ length: 16 }, (_, i) => [pixels[16 * y + i]]));
  const second = await infer('tiny.log_prob', { inputs: [{ ...x, data: [nested] }], parameters });
  expect(second.body.outputs).toEqual(flat.body.outputs);

  const raw = Buffer.from(Float32Array.from(pixels).buffer);
  const { data: _, ...head } = x;
  const json = Buffer.from(
    JSON.stringify({
      inputs: [{ ...head, parameters: { binary_data_size: raw.length } }],
      outputs: [{ name: 'log_prob', parameters: { binary_data: true } }],
      parameters,
    }),
  );
  const binary = await serving.post('/v2/models/tiny.log_prob/infer', Uint8Array.from(Buffer.concat([json, raw])), {
    'content-type': 'application/octet-stream',
    [HEAD_LENGTH_HEADER]: String(json.length),
  });
  const bytes = Buffer.from(await binary.arrayBuffer());
  const length = Number(binary.headers.get(HEAD_LENGTH_HEADER));
  const answer = JSON.parse(bytes.subarray(0, length).toString()) as RestAnswer;
  expect(answer.outputs[0]).toEqual({
    name: 'log_prob',
    datatype: 'FP32',
    shape: [1],
    parameters: { binary_data_size: 4 },
  });
  expect(bytes.length).toBe(length + 4);
  expect(bytes.readFloatLE(length)).toBe(flat.body.outputs[0]?.data?.[0]);

  const bare = await serving.post('/v2/models/tiny.reconstruct/infer', Uint8Array.from(raw), {
    'content-type': 'application/octet-stream',
    [HEAD_LENGTH_HEADER]: '0',
  });
  const whole = await infer('tiny.reconstruct', { inputs: [x] });
  const bareBytes = Buffer.from(await bare.arrayBuffer());
  const tail = bareBytes.subarray(Number(bare.headers.get(HEAD_LENGTH_HEADER)));
  expect(Array.from(new Float32Array(Uint8Array.from(tail).buffer))).toEqual(whole.body.outputs[0]?.data);
});

test('gRPC takes raw and typed contents and answers raw', async () => {
  const rest = await infer('tiny.log_prob', { inputs: [x], parameters: { seed: 3 } });
  const expected = rest.body.outputs[0]?.data?.[0];
  const { data: _, ...head } = x;
  const input = inference.ModelInferRequest_InferInputTensor.fromPartial(head);
  const base = { modelName: 'tiny.log_prob', id: 'b', parameters: { seed: { int64Param: 3 } } };
  const raw = await modelInfer({
    ...base,
    inputs: [input],
    rawInputContents: [Buffer.from(Float32Array.from(pixels).buffer)],
  });
  expect(raw).toMatchObject({ id: 'b', outputs: [{ name: 'log_prob', datatype: 'FP32', shape: [1] }] });
  expect(raw.rawOutputContents[0]?.readFloatLE(0)).toBe(expected);
  const contents = inference.InferTensorContents.fromPartial({ fp32Contents: pixels });
  const typed = await modelInfer({ ...base, inputs: [{ ...input, contents }] });
  expect(typed.rawOutputContents[0]?.readFloatLE(0)).toBe(expected);
});

test.each([
  { what: 'an unknown model', path: 'nothing', body: { inputs: [] }, status: 404, error: /^MODEL_NOT_FOUND: / },
  { what: 'an unknown operation', path: 'tiny.dream', body: { inputs: [] }, status: 404, error: /^MODEL_NOT_FOUND: / },
  { what: 'an unknown version', path: 'tiny/versions/7', body: { inputs: [] }, status: 404, error: /version/ },
  { what: 'no inputs list', path: 'tiny', body: {}, status: 400, error: /^INVALID_ARGUMENT: inputs: / },
  {
    what: 'an unknown input',
    path: 'tiny',
    body: { inputs: [{ ...x, name: 'y' }] },
    status: 400,
    error: /inputs\[0\]\.name/,
  },
  {
    what: 'another datatype',
    path: 'tiny.log_prob',
    body: { inputs: [{ ...x, datatype: 'FP64' }] },
    status: 400,
    error: /FP32/,
  },
  {
    what: 'a wrong shape',
    path: 'tiny.log_prob',
    body: { inputs: [{ ...x, shape: [1, 256] }] },
    status: 400,
    error: /shape/,
  },
  {
    what: 'too few numbers',
    path: 'tiny.log_prob',
    body: { inputs: [{ ...x, data: [1] }] },
    status: 400,
    error: /256 numbers/,
  },
  {
    what: 'text for numbers',
    path: 'tiny.log_prob',
    body: { inputs: [{ ...x, data: 'abc' }] },
    status: 400,
    error: /numbers/,
  },
  { what: 'a missing input', path: 'tiny.log_prob', body: { inputs: [] }, status: 400, error: /must be given/ },
  {
    what: 'an unknown output',
    path: 'tiny',
    body: { inputs: [], outputs: [{ name: 'q' }] },
    status: 400,
    error: /outputs\[0\]\.name/,
  },
  {
    what: 'a bad seed',
    path: 'tiny',
    body: { inputs: [], parameters: { seed: -1 } },
    status: 400,
    error: /parameters\.seed/,
  },
])('$what: $status', async ({ path, body, status, error }) => {
  const answer = await infer(path, body);
  expect(answer.status).toBe(status);
  expect(answer.body.error).toMatch(error);
});

test('errors of the binary extension and of gRPC', async () => {
  for (const header of ['-1', 'x', '99999']) {
    const response = await serving.post('/v2/models/tiny/infer', '{"inputs":[]}', { [HEAD_LENGTH_HEADER]: header });
    expect(response.status).toBe(400);
    expect(((await response.json()) as { error: string }).error).toContain(HEAD_LENGTH_HEADER);
  }
  const failure = await modelInfer({ modelName: 'nothing' }).catch(error => readFailure(error as ServiceError));
  expect(failure).toMatchObject({ code: 5, reason: 'MODEL_NOT_FOUND' });
  const ready = await new Promise(resolve => {
    client.modelReady({ name: 'tiny.encode', version: '' }, (_error, response) => resolve(response?.ready));
  });
  expect(ready).toBe(true);
});
