// A GAN that knows classes, and a classifier, from a folder of pictures to every way of calling them.

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inference, generator as wire } from '@genserve/proto/wire';
import { type CallOptions, connect, float32, int32, loadGenerator, type Tensors } from '@genserve/sdk';
import { openDataset } from '@genserve/trainer';
import { credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bandModels } from '../support/band-models.js';
import { classes, classesOf, side } from '../support/bands.js';
import { genserve } from '../support/command.js';
import { samplesOverGrpc } from '../support/grpc-samples.js';
import { type ServedModels, serve } from '../support/serve.js';

const label = [0, 1, 2, 2, 1, 0];
const count = label.length;
const seed = 3;

let folder: string;
let served: ServedModels;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'genserve-labels-'));
  await bandModels(folder, ['ac-gan', 'classifier']);
  served = await serve({ models: join(folder, 'models') });
}, 120_000);
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

function overGrpc(): Promise<Float32Array> {
  const request = wire.GenerateRequest.fromPartial({ model: 'ac-gan', count, seed, conditions: { labels: label } });
  return samplesOverGrpc(served, client => client.generate(request));
}

/** The one output of an operation as a model of the Open Inference Protocol, the same over HTTP and over gRPC. */
async function infer(model: string, pictures: Float32Array): Promise<number[]> {
  const head = { name: 'x', datatype: 'FP32', shape: [count, side, side, 1] };
  const body = JSON.stringify({ inputs: [{ ...head, data: [...pictures] }] });
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${served.url}v2/models/${model}/infer`, { method: 'POST', headers, body });
  expect(answer.status).toBe(200);
  const { data } = (await answer.json()).outputs[0];
  const contents = { fp32Contents: [...pictures] };
  const request = inference.ModelInferRequest.fromPartial({ modelName: model, inputs: [{ ...head, contents }] });
  const client = new inference.GRPCInferenceServiceClient(served.grpcAddress, credentials.createInsecure());
  const { rawOutputContents } = await new Promise<inference.ModelInferResponse>((resolve, reject) => {
    client.modelInfer(request, (error, response) => (error ? reject(error) : resolve(response)));
  });
  client.close();
  expect([...new Float32Array(Uint8Array.from(rawOutputContents[0]!).buffer)]).toEqual(data);
  return data;
}

describe('a model that knows classes', () => {
  it('draws those that it is told: the same pictures over HTTP, over gRPC and on the device', async () => {
    const remote = await connect(served.url, { model: 'ac-gan' });
    const device = await loadGenerator(`${served.url}bundles/ac-gan/1/`, { device: 'wasm' });
    const http = (await remote.sample({ count, seed, label })).data.data as Float32Array;
    expect(classesOf(http)).toEqual(label);
    expect(await overGrpc()).toEqual(http);
    const local = await device.sample({ count, seed, label });
    expect(local.labels).toEqual(label);
    local.data.data.forEach((value, index) => {
      expect(Math.abs(value - http[index]!)).toBeLessThan(1e-4);
    });
    await Promise.all([remote.close(), device.close()]);
  });

  it('tells which it drew where it is told none, and refuses one that there is not', async () => {
    const remote = await connect(served.url, { model: 'ac-gan' });
    const { data, labels } = await remote.sample({ count: 30, seed });
    expect(new Set(labels)).toEqual(new Set([0, 1, 2]));
    const agree = classesOf(data.data).filter((found, row) => found === labels![row]);
    expect(agree.length).toBeGreaterThanOrEqual(27);
    await expect(remote.sample({ label: 3 })).rejects.toMatchObject({ reason: 'INVALID_ARGUMENT' });
    await remote.close();
  });

  it('judges pictures by critic and classify: the same over HTTP, over gRPC, through the SDK and on the device', async () => {
    const { data: x } = await (await connect(served.url, { model: 'ac-gan' })).sample({ count, seed, label });
    for (const [model, operation] of [
      ['ac-gan', 'critic'],
      ['ac-gan', 'classify'],
      ['classifier', 'classify'],
    ] as const) {
      const values = await infer(`${model}.${operation}`, x.data as Float32Array);
      const remote = await connect(served.url, { model });
      const [there, ...others] = Object.values(await remote.infer(operation, { x }));
      expect([Array.from(there!.data), others]).toEqual([values, []]);
      const device = await loadGenerator(remote.bundleUrl, { device: 'wasm' });
      const [here] = Object.values(await device.infer(operation, { x }));
      expect(here!.shape).toEqual(there!.shape);
      here!.data.forEach((value, i) => {
        expect(Math.abs(value - values[i]!)).toBeLessThan(1e-4);
      });
      await device.close();
      expect(values).toHaveLength(operation === 'critic' ? count : 3 * count);
      if (operation === 'critic') continue;
      const rows = label.map((_, row) => values.slice(3 * row, 3 * row + 3));
      expect(rows.map(row => row.indexOf(Math.max(...row)))).toEqual(label);
    }
  });

  it('refuses what does not fit an operation, on the device as on the server', async () => {
    const remote = await connect(served.url, { model: 'ac-gan' });
    const device = await loadGenerator(remote.bundleUrl, { device: 'wasm' });
    const wrong = float32([1, 2], [0, 0]);
    const x = float32([1, side, side, 1], new Float32Array(side ** 2));
    const cases: [string, Tensors, RegExp, CallOptions?][] = [
      ['critic', { x: wrong }, /^INVALID_ARGUMENT .*must have shape \[1,9,9,1\], was \[1,2\]/],
      ['critic', { x: int32([1], [0]) }, /^INVALID_ARGUMENT /],
      ['critic', { y: x }, /^INVALID_ARGUMENT /],
      ['critic', {}, /^INVALID_ARGUMENT .*must be given/],
      ['encode', { x }, /^OPERATION_UNSUPPORTED .*critic/],
      ['critic', { x }, /^CANCELLED /, { signal: AbortSignal.abort() }],
    ];
    for (const model of [remote, device]) {
      for (const [operation, inputs, expected, options] of cases) {
        const call = model.infer(operation, inputs, options);
        expect(await call.catch(({ reason, message }) => `${reason} ${message}`)).toMatch(expected);
      }
    }
    await device.close();
  });

  it('writes samples of a class to a folder that --data takes again', async () => {
    const out = join(folder, 'drawn');
    const drawn = ['bottom', 'top'];
    for (const name of drawn)
      await genserve(['sample', join(folder, 'models', 'ac-gan'), '--label', name, '--count', '12', '--out', out]);
    expect((await readdir(out)).sort()).toEqual(drawn);
    const { domain, all } = await openDataset(out);
    expect(domain.image).toMatchObject({ channels: 1, labels: drawn });
    const { data, labels } = await all.read([...Array(all.count).keys()]);
    expect(labels).toHaveLength(24);
    const found = classesOf(data).map(index => classes[index]);
    expect(found.filter((name, row) => name === drawn[labels![row]!]).length).toBeGreaterThanOrEqual(22);
  });
});

describe('a model that draws nothing', () => {
  it('is served, says what it lacks, and gives features', async () => {
    const picture = new Float32Array(count * side ** 2).fill(0.5);
    expect(await infer('classifier.features', picture)).toHaveLength(count * 16);
    const remote = await connect(served.url, { model: 'classifier' });
    await expect(remote.sample()).rejects.toMatchObject({
      reason: 'OPERATION_UNSUPPORTED',
      message: expect.stringContaining('classify, features'),
    });
    await remote.close();
  });
});
