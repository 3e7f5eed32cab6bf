// One seed, one set of pictures: the 16 samples of every shipped model agree over gRPC, over HTTP and with
// onnxruntime-web's WASM in Node. (Chromium's turn is in tests/browser.)

import { existsSync, readdirSync } from 'node:fs';
import { generator as wire } from '@genserve/proto/wire';
import { connect, type Generator, loadGenerator } from '@genserve/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { samplesOverGrpc } from '../support/grpc-samples.js';
import { models } from '../support/paths.js';
import { type ServedModels, serve } from '../support/serve.js';

const seed = 7;
const count = 16;

let served: ServedModels;
beforeAll(async () => {
  served = await serve();
});
afterAll(() => served[Symbol.asyncDispose]());

function overGrpc(model: string): Promise<Float32Array> {
  const request = wire.SampleRequest.fromPartial({ model, count, seed });
  return samplesOverGrpc(served, client => client.sample(request));
}

async function drawn(generator: Generator): Promise<Float32Array> {
  const { data } = await generator.sample({ count, seed });
  await generator.close();
  return data.data as Float32Array;
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((largest, value, index) => Math.max(largest, Math.abs(value - b[index]!)), 0);
}

/** MAF's inverse lets differences of rounding grow in the pictures that it draws as noise (2 of these 16); 4e-6 in the others. */
const toleranceOf = (model: string) => (model === 'mnist-maf' ? 1e-3 : 1e-4);
/** However many rows share a run, they are the same to the last bit. */
const sizes = [1, 2, 3, 5, 7];

/** Those that draw: a classifier ships too. */
const drawing = readdirSync(models).filter(name => existsSync(`${models}/${name}/1/sample.onnx`));

describe.each(drawing)('%s', model => {
  it('gives the same 16 samples through HTTP, gRPC and the SDK on the device', async () => {
    const http = await drawn(await connect(served.url, { model }));
    const grpc = await overGrpc(model);
    const device = await drawn(await loadGenerator(`${served.url}bundles/${model}/1/`, { device: 'wasm' }));
    expect(largestDifference(http, grpc)).toBe(0);
    expect(largestDifference(http, device)).toBeLessThanOrEqual(toleranceOf(model));
    expect(largestDifference(http, new Float32Array(http.length))).toBeGreaterThan(0.1);
  });

  it.each(['server', 'device'])('gives rows alone as it gives them among others, on the %s', async place => {
    const generator =
      place === 'server'
        ? await connect(served.url, { model })
        : await loadGenerator(`${served.url}bundles/${model}/1/`, { device: 'wasm' });
    const rows = async (firstIndex: number, rowCount: number) => {
      const { data } = await generator.sample({ count: rowCount, seed, firstIndex });
      return data.data as Float32Array; // as in drawn()
    };
    const all = await rows(0, count);
    const rowLength = all.length / count;
    for (const size of sizes) {
      for (let first = 0; first + size <= count; first += size) {
        const among = all.subarray(first * rowLength, (first + size) * rowLength);
        expect(largestDifference(await rows(first, size), among)).toBe(0);
      }
    }
    await generator.close();
  });
});
