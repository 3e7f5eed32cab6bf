// Fuzzing of every route and every message: no crash, no unexplained 5xx, nothing of the machine in an answer, no
// memory that does not come back.
import { readFileSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { generator, health, inference } from '@genserve/proto/wire';
import { Client, credentials } from '@grpc/grpc-js';
import fc from 'fast-check';
import { fixtures, root } from '../support/paths.js';
import { type ServedModels, serve } from '../support/serve.js';
import { type HttpRequest, type Json, mutatedBytes, mutatedRequests, type Seed } from './mutations.js';

export interface FuzzFigures {
  readonly requests: number;
  /** Answers by HTTP status and gRPC code. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly failures: readonly string[];
  readonly frontGrowthBytes: number;
}

/** @param count of requests, half of them over each transport. @param seed of the mutations. */
export async function fuzz(count: number, seed: number): Promise<FuzzFigures> {
  await using served = await serve({ models: fixtures, limits: { maxCount: 64 }, telemetry: { logLevel: 'silent' } });
  const [pid] = served.server.executors;
  const outcomes: Record<string, number> = {};
  const failures: string[] = [];
  const half = Math.ceil(count / 2);
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const client = new Client(served.grpcAddress, credentials.createInsecure());
  const http = async (request: HttpRequest) => judgeHttp(request, await overHttp(served, agent, request), failures);
  const grpc = async (call: GrpcCall) => judgeGrpc(call, await overGrpc(client, call), failures);
  const run = async (begin: number, end: number) => {
    await inTurns(fc.sample(mutatedRequests(httpSeeds()), { numRuns: half, seed }).slice(begin, end), http, outcomes);
    await inTurns(fc.sample(mutatedCalls(), { numRuns: half, seed }).slice(begin, end), grpc, outcomes);
  };
  // The first tenth fills caches, lazily made sessions and compiled code.
  await run(0, Math.ceil(half / 10));
  const before = settledMemory();
  await run(Math.ceil(half / 10), half);
  const frontGrowthBytes = settledMemory() - before;
  const headers = { 'content-type': 'application/json' };
  const alive = await fetch(`${served.url}v1/models/tiny:sample`, { method: 'POST', headers, body: '{"count": 2}' });
  if (!alive.ok) failures.push(`afterwards the server answered ${alive.status}`);
  if (served.server.executors[0] !== pid) failures.push('the executor was lost');
  agent.destroy();
  client.close();
  return { requests: 2 * half, outcomes, failures, frontGrowthBytes };
}

const atOnce = 8;

async function inTurns<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<string>,
  outcomes: Record<string, number>,
): Promise<void> {
  const left = [...items];
  const worker = async (): Promise<void> => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) {
      const outcome = await work(item);
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc'); // what the flag exposes

/** Heap and buffers of this process, which is the front's, once garbage is collected. */
function settledMemory(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const digit = readFileSync(`${root}docs/digit.png`);
const zeros = (...shape: number[]): Json => ({
  dtype: 'float32',
  shape,
  values: Array(shape.reduce((product, length) => product * length, 1)).fill(0),
});
const x: Json = { name: 'x', datatype: 'FP32', shape: [1, 16, 16, 1], data: Array(256).fill(0) };

/** A valid request for every route and every form of body. */
function httpSeeds(): Seed[] {
  const inputs: Json = { tensor: zeros(1, 16, 16, 1) };
  const row: Json = { tensor: zeros(1, 4, 3, 1) };
  const post = (path: string, json: Json): Seed => ({ method: 'POST', path, json });
  const get = (path: string): Seed => ({ method: 'GET', path });
  const image = { method: 'POST', bytes: digit, headers: { 'content-type': 'image/png' } };
  return [
    post('v1/models/tiny:sample', { count: 2, seed: 1, firstIndex: 3, temperature: 0.5, format: 'png' }),
    post('v1/models/tiny/versions/1:sample', { count: 1 }),
    post('v1/models/tiny-rows:generate', { seed: 1, conditions: { labels: [1] } }),
    post('v1/models/tiny:generate', { latents: { values: { z: zeros(1, 16, 16, 1) } } }),
    post('v1/models/tiny:generate', {
      interpolation: {
        from: { values: { z: zeros(1, 16, 16, 1) } },
        to: { values: { z: zeros(1, 16, 16, 1) } },
        steps: 3,
      },
    }),
    post('v1/models/tiny-rows:generate', { completion: { image: row, mask: zeros(1, 4, 3, 1) } }),
    post('v1/models/tiny:generate', { translation: { image: inputs, strength: 0.5 } }),
    post('v1/models/tiny:likelihood', { inputs, draws: 2, estimator: 'iwae' }),
    post('v1/models/tiny:anomaly', { inputs, alpha: 0.01, map: true, scores: ['nll'] }),
    post('v1/models/tiny:encode', { inputs }),
    post('v1/models/tiny:reconstruct', { inputs: { images: [digit.toString('base64')], fit: 'contain' } }),
    post('v2/models/tiny.log_prob/infer', {
      id: 'a',
      inputs: [x],
      outputs: [{ name: 'log_prob' }],
      parameters: { seed: 3 },
    }),
    post('v2/models/tiny/infer', { inputs: [], parameters: { seed: 1, count: 2, binary_data_output: true } }),
    post('v2/repository/index', { ready: true }),
    post('v2/repository/models/tiny/load', { parameters: { version: 1 } }),
    post('v2/repository/models/tiny/unload', {}),
    { ...image, path: 'v1/models/tiny:anomaly?fit=contain' },
    { ...image, path: 'v1/models/tiny:encode?fit=cover&invert=true' },
    ...['v1/models', 'v1/models/tiny', 'v1/models/tiny/versions/1', 'v2', 'v2/health/ready', 'v2/models/tiny'].map(get),
    ...['v2/models/tiny/ready', 'v2/models/tiny/config', 'v2/models/tiny/stats', 'v2/models/stats'].map(get),
    ...['bundles/tiny/1/manifest.json', 'bundles/tiny/1/weights.bin', 'openapi.json', 'docs/', 'metrics'].map(get),
    ...['status', 'status.json', 'status.js', ''].map(get),
  ];
}

interface HttpOutcome {
  readonly status: number;
  readonly text: string;
}

function overHttp(
  served: ServedModels,
  agent: Agent,
  { method, path, headers, body }: HttpRequest,
): Promise<HttpOutcome> {
  const { hostname, port } = new URL(served.url);
  // Node's client would send the body of a DELETE without its length.
  const content = method === 'GET' || method === 'HEAD' ? Buffer.alloc(0) : body;
  const sized = { ...headers, 'content-length': String(content.length) };
  return new Promise(resolve => {
    const sent = httpRequest(
      { hostname, port, agent, method, path: `/${path}`, headers: sized, timeout: 60_000 },
      async response => {
        const chunks: Buffer[] = [];
        try {
          for await (const chunk of response) chunks.push(chunk);
        } catch {
          // What broke off is judged by its status.
        }
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('latin1') });
      },
    );
    sent.on('timeout', () => sent.destroy(new Error('no answer')));
    sent.on('error', error => resolve({ status: 0, text: error.message }));
    sent.end(content);
  });
}

const folder = fileURLToPath(new URL('../..', import.meta.url));
const leak = new RegExp(`${folder.replace(/[/\\]/g, '.')}|node_modules|\\bat .*\\.[jt]s:\\d+`);
/** Those that a request may rightly end with: not supported, not loaded, its own deadline. */
const explained = /"?(OPERATION_UNSUPPORTED|MODEL_UNAVAILABLE|DEADLINE_EXCEEDED)/;

function judgeHttp(request: HttpRequest, { status, text }: HttpOutcome, failures: string[]): string {
  const what = () =>
    `${request.method} /${request.path} ${JSON.stringify(request.headers)} ${request.body.toString('latin1').slice(0, 300)}`;
  if (status === 0) failures.push(`${what()}: ${text}`);
  else if (status >= 500 && !explained.test(text)) failures.push(`${what()}: ${status} ${text.slice(0, 200)}`);
  else if (status >= 400 && leak.test(text)) failures.push(`${what()}: tells ${text.slice(0, 200)}`);
  return `HTTP ${status}`;
}

interface GrpcCall {
  readonly path: string;
  readonly streams: boolean;
  readonly bytes: Buffer;
}

/** A valid message for every call. */
function grpcSeeds(): GrpcCall[] {
  const service = generator.GeneratorServiceService;
  const rest = inference.GRPCInferenceServiceService;
  const wire = { dtype: 'float32', shape: [1, 16, 16, 1], data: Buffer.alloc(1024) };
  const inputs = { tensor: wire };
  const target = { model: 'tiny', version: 1, name: 'tiny', modelName: 'tiny' };
  const contents = { fp32Contents: Array(256).fill(0) };
  const tensor = { name: 'x', datatype: 'FP32', shape: [1, 16, 16, 1], contents };
  const bodies: Record<string, object> = {
    sample: { count: 2, seed: 7 },
    generate: { latents: { values: { z: wire } } },
    scoreLikelihood: { inputs, draws: 2 },
    scoreAnomaly: { inputs, map: true },
    encode: { inputs },
    reconstruct: { inputs },
    modelInfer: { modelName: 'tiny.log_prob', inputs: [tensor], parameters: { seed: { int64Param: 1 } } },
    modelStreamInfer: { modelName: 'tiny.log_prob', inputs: [tensor] },
  };
  const messages: Record<
    string,
    { encode(message: never): { finish(): Uint8Array }; fromPartial(fields: object): never }
  > = {
    ...(generator as object),
    ...(inference as object),
    ...(health as object),
  };
  return Object.entries({ ...service, ...rest, ...health.HealthService }).flatMap(([name, method]) => {
    const type = messages[requestName(method.path)];
    if (type === undefined || name === 'watch') return [];
    const version = name.startsWith('model') && name !== 'modelInfer' ? '' : 1;
    const fields = { ...target, version, ...bodies[name] };
    const bytes = Buffer.from(type.encode(type.fromPartial(fields)).finish());
    return [{ path: method.path, streams: method.requestStream || method.responseStream, bytes }];
  });
}

/** "/genserve.v1.GeneratorService/Sample" takes a SampleRequest; two calls have messages named otherwise. */
function requestName(path: string): string {
  const call = path.split('/').at(-1) ?? '';
  if (call === 'ModelStreamInfer') return 'ModelInferRequest';
  return path.includes('Health') ? 'HealthCheckRequest' : `${call}Request`;
}

function mutatedCalls(): fc.Arbitrary<GrpcCall> {
  return fc.constantFrom(...grpcSeeds()).chain(call => mutatedBytes(call.bytes).map(bytes => ({ ...call, bytes })));
}

interface GrpcOutcome {
  readonly code: number;
  readonly details: string;
}

function overGrpc(client: Client, { path, streams, bytes }: GrpcCall): Promise<GrpcOutcome> {
  const options = { deadline: Date.now() + 60_000 };
  const same = (message: Buffer) => message;
  return new Promise(resolve => {
    if (!streams) {
      client.makeUnaryRequest(path, same, same, bytes, options, error =>
        resolve({ code: error?.code ?? 0, details: error?.details ?? '' }),
      );
      return;
    }
    const call = client.makeBidiStreamRequest(path, same, same, options);
    call.on('data', () => undefined);
    call.on('error', () => undefined);
    call.on('status', ({ code, details }) => resolve({ code, details }));
    call.write(bytes);
    call.end();
  });
}

const unknown = 2;
const internal = 13;

function judgeGrpc({ path, bytes }: GrpcCall, { code, details }: GrpcOutcome, failures: string[]): string {
  if (code === unknown || code === internal || leak.test(details)) {
    failures.push(`${path} ${bytes.toString('hex').slice(0, 400)}: ${code} ${details}`);
  }
  return `gRPC ${code}`;
}
