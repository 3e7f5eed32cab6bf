// A model that turns one picture into another, from training to every way of calling it.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generator as wire } from '@genserve/proto/wire';
import { float32 } from '@genserve/runtime';
import { connect, loadGenerator } from '@genserve/sdk';
import { evaluate, openGenerator, sampleSheets, verify } from '@genserve/trainer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { samplesOverGrpc } from '../support/grpc-samples.js';
import { negativeBundle, negatives, pictures, side } from '../support/negatives.js';
import { type ServedModels, serve } from '../support/serve.js';

const count = 6;
const seed = 3;
const picture = float32([count, side, side, 1], pictures(count));

let folder: string;
let bundle: string;
let served: ServedModels;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'genserve-translation-'));
  const models = join(folder, 'models');
  bundle = await negativeBundle(folder, models);
  served = await serve({ models });
}, 120_000);
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

function overGrpc(): Promise<Float32Array> {
  const { shape, data } = picture;
  const tensor = { shape: [...shape], data: Buffer.from(data.buffer), dtype: 'float32' };
  const request = wire.GenerateRequest.fromPartial({ model: 'negative', seed, translation: { image: { tensor } } });
  return samplesOverGrpc(served, client => client.generate(request));
}

const greatestDifference = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

describe('a model that translates', () => {
  it('gives the same picture over HTTP, over gRPC and on the device', async () => {
    const remote = await connect(served.url, { model: 'negative' });
    const device = await loadGenerator(`${served.url}bundles/negative/1/`, { device: 'wasm' });
    const http = (await remote.translate(picture, { seed })).data;
    expect(http.shape).toEqual([count, side, side, 1]);
    expect(await overGrpc()).toEqual(http.data);
    expect(greatestDifference((await device.translate(picture, { seed })).data.data, http.data)).toBeLessThan(1e-4);
    // Its noise is of the seed, in serving as in training.
    const other = (await remote.translate(picture, { seed: seed + 1 })).data;
    expect(greatestDifference(other.data, http.data)).toBeGreaterThan(1e-3);
    await Promise.all([remote.close(), device.close()]);
  });

  it('refuses pictures of another size and the way back that it does not have', async () => {
    const remote = await connect(served.url, { model: 'negative' });
    const small = float32([1, 3, 3, 1], new Float32Array(9));
    await expect(remote.translate(small)).rejects.toMatchObject({ reason: 'INVALID_ARGUMENT' });
    await expect(remote.translate(picture, { backward: true })).rejects.toMatchObject({
      reason: 'OPERATION_UNSUPPORTED',
    });
    await remote.close();
  });

  it('has learned: held-out translations are far nearer to the truth than the pictures themselves', async () => {
    const { metrics, context } = await evaluate(bundle, negatives, { metric: 'translation', threads: 1 });
    expect(metrics.l1).toBeLessThan(0.5 * metrics.identity_l1!);
    expect(metrics.ssim).toBeGreaterThan(metrics.identity_ssim! + 0.2);
    expect(context).toMatchObject({ bundle: 'negative/1', rows: 24, seed: 0 });
    const { provenance } = JSON.parse(await readFile(join(bundle, 'manifest.json'), 'utf8'));
    expect(provenance.metrics['test.l1']).toBeCloseTo(metrics.l1!, 6);
  });

  it('is verified from its recorded values, and shows its translations on sheets', async () => {
    expect((await verify(bundle, { threads: 1 })).passed).toBe(true);
    const generator = await openGenerator(bundle, { threads: 1 });
    const sheets = await sampleSheets(generator, negatives.test, { out: join(folder, 'sheets') });
    await generator.close();
    expect(sheets).toMatchObject([{ name: 'translations', images: 90 }]);
    for (const file of [join(folder, 'sheets', 'translations.png'), join(bundle, 'preview.png')])
      expect((await readFile(file)).subarray(1, 4).toString()).toBe('PNG');
  });
});
