// What the Open Inference Protocol has over gRPC alone: its calls, raw and typed contents, streams.
import { inference } from '@genserve/proto/wire';
import type { ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixtures } from '../support/paths.js';
import { type ServedModels, serve } from '../support/serve.js';
import { toRaw } from './raw-tensors.js';
import { callGrpc, connect } from './styles.js';

let served: ServedModels;
let client: inference.GRPCInferenceServiceClient;
beforeAll(async () => {
  served = await serve({ models: fixtures });
  client = connect(served);
});
afterAll(async () => {
  client.close();
  await served[Symbol.asyncDispose]();
});

type Callback<Response> = (error: ServiceError | null, response: Response) => void;

/** The response, or the status code. */
function ask<Request, Response>(
  method: (request: Request, callback: Callback<Response>) => unknown,
  request: Request,
): Promise<Response | number> {
  return new Promise(resolve => {
    method.call(client, request, (error, response) => resolve(error ? error.code : response));
  });
}

const notFound = 5;
const invalidArgument = 3;

describe('what describes the server and its models', () => {
  it('is live and ready', async () => {
    expect(await ask(client.serverLive, {})).toEqual({ live: true });
    expect(await ask(client.serverReady, {})).toEqual({ ready: true });
    expect(await ask(client.modelReady, { name: 'tiny.encode', version: '' })).toEqual({ ready: true });
    expect(await ask(client.modelReady, { name: 'nothing', version: '' })).toBe(notFound);
  });

  it('names itself, its extensions and its models', async () => {
    expect(await ask(client.serverMetadata, {})).toMatchObject({
      name: 'genserve',
      extensions: expect.arrayContaining(['model_repository', 'statistics']),
    });
    expect(await ask(client.modelMetadata, { name: 'tiny-rows.log_prob', version: '1' })).toMatchObject({
      name: 'tiny-rows.log_prob',
      versions: ['1'],
      platform: 'onnx_onnxv1',
      inputs: [
        { name: 'x', datatype: 'FP32', shape: [-1, 4, 3, 1] },
        { name: 'label', datatype: 'INT32', shape: [-1] },
      ],
      outputs: [{ name: 'log_prob', datatype: 'FP32', shape: [-1] }],
    });
    expect(await ask(client.modelMetadata, { name: 'tiny', version: '9' })).toBe(notFound);
    expect(await ask(client.modelConfig, { name: 'tiny.encode', version: '' })).toMatchObject({
      config: {
        name: 'tiny.encode',
        maxBatchSize: 10_000,
        input: [{ name: 'x', dims: [16, 16, 1] }, { optional: true }],
      },
    });
    expect(await ask(client.modelConfig, { name: 'nothing', version: '' })).toBe(notFound);
  });

  it('lists its repository', async () => {
    const index = (repositoryName: string) => ask(client.repositoryIndex, { repositoryName, ready: false });
    expect(await index('')).toEqual({
      models: ['tiny', 'tiny-rows'].map(name => ({ name, version: '1', state: 'READY', reason: '' })),
    });
    expect(await index('other')).toBe(invalidArgument);
  });
});

describe('contents', () => {
  const pixels = Array.from({ length: 256 }, (_, i) => i % 2);
  const head = { name: 'x', datatype: 'FP32', shape: [1, 16, 16, 1] };
  const contents = { fp32Contents: pixels };
  const raw = toRaw('FP32', pixels);
  const request = (fields: object) =>
    inference.ModelInferRequest.fromPartial({
      modelName: 'tiny.reconstruct',
      ...fields,
    } as Partial<inference.ModelInferRequest>);

  it.each<[string, object, RegExp]>([
    ['raw and typed at once', { inputs: [{ ...head, contents }], rawInputContents: [raw] }, /contents: must be absent/],
    [
      'fewer raw contents than inputs',
      { inputs: [head, head], rawInputContents: [raw] },
      /one for each of the 2 inputs/,
    ],
    ['more raw contents than inputs', { inputs: [head], rawInputContents: [raw, raw] }, /one for each of the 1 inputs/],
    [
      'raw contents of another size',
      { inputs: [head], rawInputContents: [raw.subarray(4)] },
      /raw_input_contents\[0\].*1024 bytes/,
    ],
    [
      'contents of another datatype',
      { inputs: [{ ...head, contents: { fp64Contents: pixels } }] },
      /must be in fp32Contents, were in fp64Contents/,
    ],
    [
      'contents of two datatypes',
      { inputs: [{ ...head, contents: { ...contents, intContents: [1] } }] },
      /were in intContents/,
    ],
    ['no contents', { inputs: [head] }, /256 numbers/],
    [
      'INT8 beyond 8 bits',
      { inputs: [{ ...head, datatype: 'INT8', contents: { intContents: pixels.map(() => 300) } }] },
      /-128 to 127 for INT8, has 300/,
    ],
    ['a negative length', { inputs: [{ ...head, shape: [-1, 16, 16, 1], contents }] }, /inputs\[0\]\.shape/],
    [
      'shared memory',
      { inputs: [{ ...head, parameters: { shared_memory_region: { stringParam: 'r' } } }] },
      /shared memory/,
    ],
  ])('refuses %s', async (what, fields, message) => {
    const code = what === 'shared memory' ? 12 : invalidArgument;
    expect(await callGrpc(client, request(fields))).toEqual({ code, message: expect.stringMatching(message) });
  });

  it('refuses bytes that are no message', async () => {
    const code = await new Promise(resolve => {
      client.makeUnaryRequest(
        '/inference.GRPCInferenceService/ModelInfer',
        () => Buffer.from([0x0a, 0xff, 0xff]),
        (bytes: Buffer) => bytes,
        {},
        error => resolve(error?.code),
      );
    });
    expect(code).toBe(invalidArgument);
  });

  it('streams: answers bear the ids of their requests, and one that fails ends nothing', async () => {
    const stream = client.modelStreamInfer();
    const seen = new Map<string, string>();
    const done = new Promise((resolve, reject) => stream.on('end', resolve).on('error', reject));
    stream.on('data', ({ errorMessage, inferResponse }: inference.ModelStreamInferResponse) =>
      seen.set(inferResponse?.id ?? 'failed', errorMessage),
    );
    for (let i = 0; i < 100; i++) {
      stream.write(request({ id: `r${i}`, inputs: [{ ...head, contents }] }));
    }
    stream.write(request({ id: 'bad', modelName: 'nothing' }));
    stream.end();
    await done;
    expect(seen.size).toBe(101);
    expect(seen.get('r7')).toBe('');
    expect(seen.get('failed')).toMatch(/^MODEL_NOT_FOUND: /);
  });
});
