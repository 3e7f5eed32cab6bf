// Requests of every sort whose answers are known: asked alone first, so that an answer under load can be told from another's.
import { generator } from '@genserve/proto/wire';
import { credentials } from '@grpc/grpc-js';
import type { ServeProcess } from '../support/serve-process.js';

/** What became of a request: numbers, or a reason. */
export type Outcome = { readonly values: Float32Array } | { readonly reason: string };

export interface Ask {
  readonly name: string;
  /** Relative difference from the answer alone that is allowed: 0 is the same to the bit. */
  readonly tolerance: number;
  send(): Promise<Outcome>;
}

/** Distinct requests: models, sizes, seeds, labels, both protocols, scores, and input that is wrong. */
export function asksOf(server: ServeProcess): Ask[] {
  const client = new generator.GeneratorServiceClient(server.grpcAddress, credentials.createInsecure());
  const asks: Ask[] = [];
  for (let seed = 0; seed < 12; seed++) {
    for (const model of ['tiny', 'tiny-rows', 'mnist-vae']) {
      const count = 1 + ((seed * 7) % 9);
      const firstIndex = seed % 4;
      const temperature = seed % 3 === 0 ? 0.5 + seed / 12 : 1;
      const fields = { model, count, seed, firstIndex, temperature };
      asks.push({ name: `sample ${model} over gRPC, seed ${seed}`, tolerance: 0, send: () => sample(client, fields) });
      const body = { count, seed, firstIndex, temperature };
      const send = () => post(server, `/v1/models/${model}:sample`, body, readSamples);
      asks.push({ name: `sample ${model} over HTTP, seed ${seed}`, tolerance: 0, send });
    }
    const generate = { conditions: { labels: [seed % 2] }, count: 1 + (seed % 3), seed };
    asks.push({
      name: `generate tiny-rows, label ${seed % 2}, seed ${seed}`,
      tolerance: 0,
      send: () => post(server, '/v1/models/tiny-rows:generate', generate, readSamples),
    });
    const rows = 1 + (seed % 3);
    const values = Array.from({ length: rows * 256 }, (_, i) => ((i * 7 + seed * 13) % 5 < 2 ? 1 : 0));
    const inputs = { tensor: { dtype: 'float32', shape: [rows, 16, 16, 1], values } };
    asks.push({
      name: `likelihood of ${rows} rows, seed ${seed}`,
      tolerance: 1e-6,
      send: () => post(server, '/v1/models/tiny:likelihood', { inputs, draws: 3, seed }, readLikelihoods),
    });
  }
  for (const [name, path, body] of wrong)
    asks.push({ name, tolerance: 0, send: () => post(server, path, body, readSamples) });
  return asks;
}

const wrong: readonly [string, string, object][] = [
  ['a count that is none', '/v1/models/tiny:sample', { count: 'many' }],
  ['a count that is too large', '/v1/models/tiny:sample', { count: 1e9 }],
  ['an unknown model', '/v1/models/nothing:sample', {}],
  ['a label that is none', '/v1/models/tiny-rows:generate', { conditions: { labels: [7] } }],
  ['a tensor of the wrong shape', '/v1/models/tiny:likelihood', { inputs: { tensor: { shape: [1], values: [1] } } }],
];

/** Sends it and hangs up at once, or soon. */
export async function hangUp(server: ServeProcess, seed: number): Promise<void> {
  const signal = AbortSignal.timeout(1 + (seed % 20));
  await server.post('/v1/models/mnist-vae:sample', { count: 100, seed }, { signal }).catch(() => undefined);
}

/** Empty where the outcome is what it is alone; else what is wrong with it. */
export function difference({ tolerance }: Ask, expected: Outcome, got: Outcome): string {
  if ('reason' in expected || 'reason' in got) {
    const [wanted, found] = [expected, got].map(outcome => ('reason' in outcome ? outcome.reason : 'an answer'));
    return wanted === found ? '' : `${found} instead of ${wanted}`;
  }
  if (got.values.length !== expected.values.length)
    return `${got.values.length} numbers, not ${expected.values.length}`;
  const at = got.values.findIndex((value, i) => {
    const alone = expected.values[i] ?? Number.NaN;
    return !(Math.abs(value - alone) <= tolerance * Math.abs(alone));
  });
  return at < 0 ? '' : `${got.values[at]} at ${at}, not ${expected.values[at]}`;
}

async function sample(
  client: generator.GeneratorServiceClient,
  fields: Partial<generator.SampleRequest>,
): Promise<Outcome> {
  const parts: Buffer[] = [];
  try {
    for await (const part of client.sample(generator.SampleRequest.fromPartial(fields)))
      parts.push((part as generator.SampleResponse).samples?.data ?? Buffer.alloc(0));
  } catch (error) {
    return { reason: `gRPC ${(error as { code: number }).code}` };
  }
  return { values: floatsOf(Buffer.concat(parts)) };
}

async function post(
  server: ServeProcess,
  path: string,
  body: object,
  read: (answer: never) => Float32Array,
): Promise<Outcome> {
  const response = await server.post(path, body);
  const answer = (await response.json()) as { error?: { reason: string } };
  if (answer.error) return { reason: answer.error.reason };
  return { values: read(answer as never) }; // the route's own answer, whose form `read` knows
}

const readSamples = (answer: { samples: { data: string } }) => floatsOf(Buffer.from(answer.samples.data, 'base64'));
const readLikelihoods = (answer: { likelihoods: { logProb: number }[] }) =>
  Float32Array.from(answer.likelihoods, ({ logProb }) => logProb);

function floatsOf(bytes: Buffer): Float32Array {
  return new Float32Array(Uint8Array.from(bytes).buffer);
}
