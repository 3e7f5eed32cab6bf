// Inputs at the edge of what a picture is: each gets a score or a clear error, the same over HTTP and gRPC, and none is
// changed silently.
import { generator } from '@genserve/proto/wire';
import type { ServiceError } from '@grpc/grpc-js';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFailure, type Serving, serve } from '../fixtures/serving.js';

let serving: Serving;
beforeAll(async () => {
  serving = await serve();
});
afterAll(() => serving.close());

const SIDE = 16;
const SIZE = SIDE * SIDE;
type Request = Parameters<typeof generator.ScoreAnomalyRequest.fromPartial>[0];
type Outcome = generator.ScoreAnomalyResponse | { readonly field: string | undefined; readonly message: string };

async function overHttp(request: Request): Promise<Outcome> {
  const body = generator.ScoreAnomalyRequest.toJSON(generator.ScoreAnomalyRequest.fromPartial(request));
  const response = await serving.post('/v1/models/tiny:anomaly', { ...(body as object), model: 'tiny' });
  const json = (await response.json()) as { error?: { field?: string; message: string } };
  if (json.error) return { field: json.error.field, message: json.error.message };
  return generator.ScoreAnomalyResponse.fromJSON(json);
}

function overGrpc(request: Request): Promise<Outcome> {
  return new Promise(resolve => {
    const message = generator.ScoreAnomalyRequest.fromPartial({ ...request, model: 'tiny' });
    serving.client.scoreAnomaly(message, (error: ServiceError | null, response) => {
      resolve(error ? { field: readFailure(error).field, message: error.details } : response);
    });
  });
}

/** The same over both transports. */
async function ask(request: Request): Promise<Outcome> {
  const [http, grpc] = [await overHttp(request), await overGrpc(request)];
  expect(http).toEqual(grpc);
  return http;
}

const scores = ['nll', 'reconstruction'];
const tensor = (values: Float32Array, shape = [1, SIDE, SIDE, 1]) => ({
  inputs: { tensor: { dtype: 'float32', shape, data: Buffer.from(values.buffer) } },
  scores,
});
const images = (...pictures: Buffer[]) => ({ inputs: { images: pictures }, scores });
const valuesOf = (outcome: Outcome): number[] => {
  if (!('results' in outcome)) throw new Error(`refused: ${outcome.message}`);
  return outcome.results.flatMap(result => result.scores.map(({ value }) => value));
};

/** Bright in its upper left alone, so that every way of turning it shows. */
const pixels = Uint8Array.from({ length: SIZE }, (_, i) => (i % SIDE < 6 && i < 4 * SIDE ? 255 : 0));
const raw = (data: Uint8Array, channels: 1 | 4 = 1) => sharp(data, { raw: { width: SIDE, height: SIDE, channels } });
const asTensor = (levels: Uint8Array) => tensor(Float32Array.from(levels, level => level / 255));

describe('degenerate inputs', () => {
  it.each([0, 0.5, 1])('a constant picture of %d gets finite scores', async level => {
    for (const value of valuesOf(await ask(tensor(new Float32Array(SIZE).fill(level)))))
      expect(value).toSatisfy(Number.isFinite);
  });

  it('a single lit pixel gets scores of its own', async () => {
    const lit = new Float32Array(SIZE);
    lit[40] = 1;
    expect(valuesOf(await ask(tensor(lit)))).not.toEqual(valuesOf(await ask(tensor(new Float32Array(SIZE)))));
  });

  it('NaN is refused by its place', async () => {
    const broken = new Float32Array(SIZE);
    broken[3] = Number.NaN;
    expect(await ask(tensor(broken))).toMatchObject({ field: 'inputs.tensor', message: /element 3 was NaN/ });
  });

  it('a tensor of another size is refused with the size that is right', async () => {
    const outcome = await ask(tensor(new Float32Array(SIZE / 4), [1, 8, 8, 1]));
    expect(outcome).toMatchObject({ field: 'inputs.tensor', message: /16,16,1/ });
  });

  it('a picture of one pixel is refused, and scored where fit says how it is to be filled', async () => {
    const dot = await sharp(Buffer.of(255), { raw: { width: 1, height: 1, channels: 1 } })
      .png()
      .toBuffer();
    expect(await ask(images(dot))).toMatchObject({ field: 'inputs.images[0]', message: /1 ?x ?1/ });
    const filled = await ask({ inputs: { images: [dot], fit: 'cover' }, scores });
    expect(valuesOf(filled)).toEqual(valuesOf(await ask(tensor(new Float32Array(SIZE).fill(1)))));
  });

  it('16 bits are read as the same greys as 8', async () => {
    const deep = await raw(pixels).toColourspace('grey16').png().toBuffer();
    expect((await sharp(deep).metadata()).depth).toBe('ushort');
    expect(valuesOf(await ask(images(deep)))).toEqual(valuesOf(await ask(asTensor(pixels))));
  });

  it('a transparent picture lies on the ground that the model knows', async () => {
    const transparent = new Uint8Array(4 * SIZE);
    for (let i = 0; i < SIZE; i++) transparent.set([255, 255, 255, pixels[i]!], 4 * i);
    const outcome = await ask(images(await raw(transparent, 4).png().toBuffer()));
    expect(valuesOf(outcome)).toEqual(valuesOf(await ask(asTensor(pixels))));
  });

  it('a JPEG that EXIF says is turned is turned', async () => {
    const options = { quality: 100, chromaSubsampling: '4:4:4' } as const;
    const turned = await raw(pixels).withMetadata({ orientation: 6 }).jpeg(options).toBuffer();
    // Orientation 6: to be shown turned clockwise by a quarter.
    const upright = await raw(pixels).rotate(90).jpeg(options).toBuffer();
    const plain = await raw(pixels).jpeg(options).toBuffer();
    const [found, expected, unturned] = [
      await ask(images(turned)),
      await ask(images(upright)),
      await ask(images(plain)),
    ];
    valuesOf(found).forEach((value, i) => {
      expect(Math.abs(value - valuesOf(expected)[i]!)).toBeLessThan(0.02 * Math.abs(valuesOf(expected)[i]!));
    });
    expect(valuesOf(found)).not.toEqual(valuesOf(unturned));
  });
});

describe('rows that are judged together', () => {
  const rows = 30;
  const noise = tensor(
    Float32Array.from({ length: rows * SIZE }, (_, i) => ((i * 7919) % 101 < 50 ? 1 : 0)),
    [rows, SIDE, SIDE, 1],
  );

  it('have adjusted p-values, and decide by them, where a correction is asked for', async () => {
    const outcome = await ask({ ...noise, scores: ['nll'], correction: 'benjamini-hochberg', alpha: 0.05 });
    if (!('results' in outcome)) throw new Error(outcome.message);
    for (const { scores: found } of outcome.results) {
      expect(found[0]!.adjustedPValue).toBeGreaterThanOrEqual(found[0]!.pValue!);
      expect(found[0]!.decision).toBe(found[0]!.adjustedPValue! <= 0.05 ? 'anomalous' : 'normal');
    }
    expect(await ask({ ...noise, correction: 'bonferroni' })).toMatchObject({ field: 'correction' });
  });

  it('are tested for drift as a whole', async () => {
    const outcome = await ask({ ...noise, scores: ['nll'], drift: true });
    expect(outcome).toMatchObject({ drifts: [{ score: 'nll', rows, decision: 'anomalous' }] });
    expect(await ask({ ...noise, scores: ['nll'] })).toMatchObject({ drifts: [] });
  });

  it('are refused a class that the calibration does not have', async () => {
    expect(await ask({ ...noise, labels: [3] })).toMatchObject({ field: 'labels', message: /3 has no calibration/ });
  });
});
