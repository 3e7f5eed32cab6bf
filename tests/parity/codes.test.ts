// A model whose codes are whole numbers: the same ones over gRPC, over HTTP and on the device, and back to pictures.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generator as wire } from '@genserve/proto/wire';
import { float32 } from '@genserve/runtime';
import { connect, loadGenerator } from '@genserve/sdk';
import { openDataset } from '@genserve/trainer';
import { credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bandModels, CODES } from '../support/band-models.js';
import { side } from '../support/bands.js';
import { genserve } from '../support/command.js';
import { type ServedModels, serve } from '../support/serve.js';

const count = 6;
const seed = 3;
const label = [0, 1, 2, 0, 1, 2];
const name = 'vq-vae';

let folder: string;
let served: ServedModels;
let pictures: Float32Array<ArrayBuffer>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'genserve-codes-'));
  const data = await bandModels(folder, [name]);
  served = await serve({ models: join(folder, 'models') });
  pictures = (await (await openDataset(data)).test.read([...Array(count).keys()])).data;
}, 120_000);
afterAll(async () => {
  await served?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function codesOverGrpc(): Promise<number[]> {
  const client = new wire.GeneratorServiceClient(served.grpcAddress, credentials.createInsecure());
  const tensor = { dtype: 'float32', shape: [count, side, side, 1], data: Buffer.from(pictures.slice().buffer) };
  const request = wire.EncodeRequest.fromPartial({ model: name, inputs: { tensor } });
  const response = await new Promise<wire.EncodeResponse>((resolve, reject) => {
    client.encode(request, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
  client.close();
  const { dtype, data } = response.latents.codes!;
  expect(dtype).toBe('int32');
  return [...new Int32Array(Uint8Array.from(data).buffer)];
}

it('gives the same codes, pictures of codes and samples everywhere', async () => {
  const x = float32([count, side, side, 1], pictures);
  const remote = await connect(served.url, { model: name });
  const device = await loadGenerator(`${served.url}bundles/${name}/1/`, { device: 'wasm' });
  const { codes } = await remote.encode(x);
  expect(codes).toMatchObject({ dtype: 'int32', shape: [count, 5, 5] });
  expect((await device.encode(x)).codes!.data).toEqual(codes!.data);
  expect(await codesOverGrpc()).toEqual([...codes!.data]);
  for (const model of [remote, device]) expect((await model.infer('encode', { x })).codes).toEqual(codes);
  const there = [
    await remote.decode({ codes: codes! }),
    await remote.reconstruct(x),
    await remote.sample({ count, seed, label }),
  ];
  const here = [
    await device.decode({ codes: codes! }),
    await device.reconstruct(x),
    await device.sample({ count, seed, label }),
  ];
  for (const [index, { data }] of there.entries())
    data.data.forEach((value, i) => {
      expect(Math.abs(value - here[index]!.data.data[i]!)).toBeLessThan(1e-4);
    });
  const likelihoods = [await remote.logLikelihood(x, { label }), await device.logLikelihood(x, { label })];
  for (const [row, value] of likelihoods[0]!.logProb.entries())
    expect(value).toBeCloseTo(likelihoods[1]!.logProb[row]!, 3);
  await Promise.all([remote.close(), device.close()]);
});

it('refuses codes that are not in the book, everywhere and with one message', async () => {
  const remote = await connect(served.url, { model: name });
  const device = await loadGenerator(`${served.url}bundles/${name}/1/`, { device: 'wasm' });
  const codes = { dtype: 'int32', shape: [1, 5, 5], data: new Int32Array(25).fill(CODES) } as const;
  const wrong = { reason: 'INVALID_ARGUMENT', message: expect.stringContaining('must be from 0 to 5') };
  await expect(remote.decode({ codes })).rejects.toMatchObject(wrong);
  await expect(device.decode({ codes })).rejects.toMatchObject(wrong);
  await Promise.all([remote.close(), device.close()]);
});

it('is verified', async () => {
  const { metrics } = await genserve(['verify', join(folder, 'models', name)]);
  expect(Object.keys(metrics).length).toBeGreaterThan(0);
});
