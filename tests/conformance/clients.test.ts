// Clients that others wrote: Python over gRPC with stubs from the protocol's own .proto, curl, and wrk under load.
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixtures, python, root } from '../support/paths.js';
import { type ServedModels, serve } from '../support/serve.js';

const folder = mkdtempSync(`${tmpdir()}/genserve-clients-`);
let served: ServedModels;
beforeAll(async () => {
  served = await serve({ models: fixtures });
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** Not the synchronous form: the server lives in this process. */
const run = async (command: string, args: readonly string[]) => (await promisify(execFile)(command, [...args])).stdout;

it('Python: metadata, raw tensors of three datatypes in gzip, errors, the repository', async () => {
  const protos = ['inference/grpc_service.proto', 'inference/model_config.proto'];
  const out = [`--python_out=${folder}`, `--grpc_python_out=${folder}`];
  execFileSync(python, ['-m', 'grpc_tools.protoc', `-I${root}proto`, ...out, ...protos]);
  const client = `${root}tests/conformance/inference_client.py`;
  const answer = JSON.parse(await run(python, [client, folder, served.grpcAddress, 'tiny']));
  expect(answer).toMatchObject({ live: true, ready: true, platform: 'onnx_onnxv1', id: 'py', same: true });
  expect(answer.log_prob).toHaveLength(2);
  expect(answer.wrong).toBe('INVALID_ARGUMENT');
  expect(answer.models).toEqual(['tiny', 'tiny-rows']);
});

describe('curl', () => {
  const curl = (...args: string[]) => run('curl', ['--silent', '--show-error', '--max-time', '30', ...args]);

  it('samples as a picture, by a word in the URL', async () => {
    await curl('-X', 'POST', '-o', `${folder}/sheet.png`, `${served.url}v1/models/tiny:sample?count=4&format=png`);
    expect(readFileSync(`${folder}/sheet.png`).subarray(1, 4).toString()).toBe('PNG');
  });

  it('infers with --data, --compressed, and a file of raw bytes', async () => {
    const path = `${served.url}v2/models/tiny/infer`;
    const asked = await curl('--compressed', '--data', '{"inputs": [], "parameters": {"seed": 1, "count": 50}}', path);
    expect(JSON.parse(asked).outputs[0].shape).toEqual([50, 16, 16, 1]);
    writeFileSync(`${folder}/row.bin`, Buffer.alloc(1024));
    const raw = ['--data-binary', `@${folder}/row.bin`, '-H', 'Inference-Header-Content-Length: 0'];
    await curl('-o', `${folder}/answer.bin`, ...raw, `${served.url}v2/models/tiny.reconstruct/infer`);
    const bytes = readFileSync(`${folder}/answer.bin`);
    expect(bytes.length).toBeGreaterThan(1024);
    expect(bytes.toString('latin1')).toContain('"binary_data_size":1024');
  });

  it('resumes a download where it broke off', async () => {
    const whole = readFileSync(`${fixtures}/tiny/1/weights.bin`);
    writeFileSync(`${folder}/weights.bin`, whole.subarray(0, 100));
    await curl('-C', '-', '-o', `${folder}/weights.bin`, `${served.url}bundles/tiny/1/weights.bin`);
    expect(readFileSync(`${folder}/weights.bin`).equals(whole)).toBe(true);
  });
});

it('wrk: two seconds of inferences over eight connections, every one answered', async () => {
  const script = `${folder}/infer.lua`;
  writeFileSync(
    script,
    `wrk.method = "POST"
     wrk.body = '{"inputs": [], "parameters": {"seed": 1}}'
     wrk.headers["Content-Type"] = "application/json"`,
  );
  const report = await run('wrk', [
    '-t1',
    '-c8',
    '-d2s',
    '--timeout',
    '30s',
    '-s',
    script,
    `${served.url}v2/models/tiny/infer`,
  ]);
  expect(Number(/(\d+) requests in/.exec(report)?.[1])).toBeGreaterThan(20);
  expect(report).not.toMatch(/Non-2xx|Socket errors/);
});
