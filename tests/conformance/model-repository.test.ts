// The model repository and statistics extensions of the Open Inference Protocol, over both transports.
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { inference } from '@genserve/proto/wire';
import type { ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixtures } from '../support/paths.js';
import { type ServedModels, serve } from '../support/serve.js';
import { connect } from './styles.js';

const folder = mkdtempSync(`${tmpdir()}/genserve-repository-`);
let served: ServedModels;
let client: inference.GRPCInferenceServiceClient;
beforeAll(async () => {
  for (const name of ['tiny', 'tiny-rows']) cpSync(`${fixtures}/${name}`, `${folder}/${name}`, { recursive: true });
  served = await serve({ models: folder, repository: { control: 'explicit', load: ['tiny'] } });
  client = connect(served);
});
afterAll(async () => {
  client.close();
  await served[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

interface Transport {
  readonly name: string;
  /** 'OK', or the status code. */
  load(model: string, parameters?: Record<string, string>): Promise<number | 'OK'>;
  unload(model: string): Promise<number | 'OK'>;
  /** State and reason by name. */
  index(): Promise<Record<string, string>>;
  isReady(model: string): Promise<boolean>;
}

async function post(path: string, body: object = {}) {
  const response = await fetch(served.url + path, { method: 'POST', body: JSON.stringify(body) });
  return { status: response.status, body: await response.json() };
}

function call<Request, Response>(
  method: (request: Request, callback: (error: ServiceError | null, response: Response) => void) => unknown,
  request: Request,
): Promise<Response | number> {
  return new Promise(resolve => {
    method.call(client, request, (error, response) => resolve(error ? error.code : response));
  });
}

const outcome = (answer: unknown) => (typeof answer === 'number' ? answer : 'OK');
const byName = (models: readonly inference.RepositoryIndexResponse_ModelIndex[]) =>
  Object.fromEntries(models.map(({ name, state, reason }) => [name, `${state} ${reason}`]));

const rest: Transport = {
  name: 'REST',
  load: async (model, parameters) => {
    const { status } = await post(`v2/repository/models/${model}/load`, { parameters });
    return status === 200 ? 'OK' : status;
  },
  unload: async model => {
    const { status } = await post(`v2/repository/models/${model}/unload`);
    return status === 200 ? 'OK' : status;
  },
  index: async () => byName((await post('v2/repository/index')).body),
  isReady: async model => (await fetch(`${served.url}v2/models/${model}/ready`)).status === 200,
};
const grpc: Transport = {
  name: 'gRPC',
  load: async (modelName, parameters = {}) => {
    const entries = Object.entries(parameters).map(([name, stringParam]) => [name, { stringParam }]);
    const request = { modelName, parameters: Object.fromEntries(entries) };
    return outcome(await call(client.repositoryModelLoad, inference.RepositoryModelLoadRequest.fromPartial(request)));
  },
  unload: async modelName =>
    outcome(
      await call(client.repositoryModelUnload, inference.RepositoryModelUnloadRequest.fromPartial({ modelName })),
    ),
  index: async () => {
    const answer = await call<inference.RepositoryIndexRequest, inference.RepositoryIndexResponse>(
      client.repositoryIndex,
      { repositoryName: '', ready: false },
    );
    return byName(typeof answer === 'number' ? [] : answer.models);
  },
  isReady: async name => {
    const answer = await call<inference.ModelReadyRequest, inference.ModelReadyResponse>(client.modelReady, {
      name,
      version: '',
    });
    return typeof answer !== 'number' && answer.ready;
  },
};

describe.each([
  { transport: rest, notFound: 404, unsupported: 501, unavailable: 503 },
  { transport: grpc, notFound: 5, unsupported: 12, unavailable: 14 },
])('$transport.name', ({ transport, notFound, unsupported, unavailable }) => {
  it('lists what is there, loaded or not; loads, reloads and unloads it', async () => {
    expect(await transport.index()).toMatchObject({
      tiny: 'READY ',
      'tiny-rows': expect.stringMatching(/^UNAVAILABLE /),
    });
    expect(await transport.load('tiny-rows')).toBe('OK');
    expect(await transport.isReady('tiny-rows.log_prob')).toBe(true);
    expect(await transport.load('tiny-rows', { version: '1' })).toBe('OK');
    expect(await transport.unload('tiny-rows')).toBe('OK');
    expect(await transport.isReady('tiny-rows')).toBe(false);
  });

  it('refuses what is not there, and files or configurations of the caller', async () => {
    expect(await transport.load('nothing')).toBe(notFound);
    expect(await transport.unload('nothing')).toBe(notFound);
    expect(await transport.load('tiny', { version: '9' })).toBe(notFound);
    expect(await transport.load('tiny', { config: '{}' })).toBe(unsupported);
    expect(await transport.load('tiny', { 'file:1/model.onnx': 'AAAA' })).toBe(unsupported);
  });

  it('says why a bundle cannot be loaded, and goes on serving the others', async () => {
    cpSync(`${fixtures}/tiny`, `${folder}/broken`, { recursive: true });
    writeFileSync(`${folder}/broken/1/manifest.json`, '{"format": ');
    expect(await transport.load('broken')).toBe(unavailable);
    expect((await transport.index()).broken).toMatch(/^UNAVAILABLE BUNDLE_INVALID/);
    expect(await transport.isReady('tiny')).toBe(true);
    rmSync(`${folder}/broken`, { recursive: true });
  });
});

describe('statistics', () => {
  it('count rows, runs and time by model, the same over both transports', async () => {
    const rows = async () => {
      const response = await fetch(`${served.url}v2/models/tiny.decode/stats`);
      return (await response.json()).model_stats[0]?.inference_count ?? 0;
    };
    expect(await rows()).toBe(0);
    const z = { name: 'z', datatype: 'FP32', shape: [3, 16, 16, 1], data: Array(768).fill(0) };
    for (let i = 0; i < 2; i++) expect((await post('v2/models/tiny.decode/infer', { inputs: [z] })).status).toBe(200);
    const [stats] = (await (await fetch(`${served.url}v2/models/tiny.decode/versions/1/stats`)).json()).model_stats;
    expect(stats).toMatchObject({
      name: 'tiny.decode',
      version: '1',
      inference_count: 6,
      execution_count: 2,
      inference_stats: { success: { count: 2 }, fail: { count: 0 }, queue: { count: 2 }, compute_infer: { count: 2 } },
      batch_stats: [{ batch_size: 3, compute_infer: { count: 2 } }],
    });
    expect(stats.inference_stats.compute_infer.ns).toBeGreaterThan(0);
    expect(Date.now() - stats.last_inference).toBeLessThan(60_000);
    const answer = await call(client.modelStatistics, { name: 'tiny.decode', version: '' });
    expect(answer).toMatchObject({ modelStats: [{ name: 'tiny.decode', inferenceCount: 6, executionCount: 2 }] });
    const all = await (await fetch(`${served.url}v2/models/stats`)).json();
    expect(all.model_stats.map(({ name }: { name: string }) => name)).toContain('tiny.decode');
  });
});
