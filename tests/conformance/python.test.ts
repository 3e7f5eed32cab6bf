// Other people's tools understand what genserve makes: Python stubs compiled from proto/ by Debian's tools call the
// server, and ONNX's own checker accepts every graph that ships.
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { models, python, root } from '../support/paths.js';
import { type ServedModels, serve } from '../support/serve.js';

describe('a Python client with stubs made by python3-grpc-tools', () => {
  const stubs = mkdtempSync(`${tmpdir()}/genserve-stubs-`);
  let served: ServedModels;
  let answer: {
    models: string[];
    family: string;
    seed: number;
    shape: number[];
    samples: number[];
    log_prob: number[];
    p_value: number[];
    unknown: string;
  };

  beforeAll(async () => {
    served = await serve();
    const protos = ['genserve/v1/generator.proto', 'genserve/bundle/v1/manifest.proto'];
    const out = [`--python_out=${stubs}`, `--grpc_python_out=${stubs}`];
    execFileSync(python, ['-m', 'grpc_tools.protoc', `-I${root}proto`, ...out, ...protos]);
    const client = [`${root}tests/conformance/client.py`, stubs, served.grpcAddress, 'mnist-vae'];
    // Not the synchronous form: the server lives in this process.
    const { stdout } = await promisify(execFile)(python, client, { maxBuffer: 1 << 24 });
    answer = JSON.parse(stdout);
  });
  afterAll(async () => {
    await served[Symbol.asyncDispose]();
    rmSync(stubs, { recursive: true });
  });

  it('lists the models and reads a manifest', () => {
    expect(answer.models).toContain('mnist-vae');
    expect(answer.family).toBe('vae');
  });

  it('draws the samples that HTTP gives for the same seed', async () => {
    expect(answer.shape).toEqual([16, 28, 28, 1]);
    const response = await fetch(`${served.url}v1/models/mnist-vae:sample`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ count: 16, seed: answer.seed }),
    });
    const { samples } = (await response.json()) as { samples: { data: string } };
    const bytes = Buffer.from(samples.data, 'base64');
    const values = Float32Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(4 * index));
    expect(answer.samples.map(Math.fround)).toEqual([...values]);
  });

  it('gets finite likelihoods and p-values within (0, 1]', () => {
    expect(answer.log_prob).toHaveLength(16);
    for (const value of answer.log_prob) expect(value).toBeLessThan(0);
    for (const value of answer.p_value) {
      expect(value).toBeGreaterThan(0);
      expect(value).toBeLessThanOrEqual(1);
    }
  });

  it('sees NOT_FOUND for a model that does not exist', () => expect(answer.unknown).toBe('NOT_FOUND'));
});

describe("ONNX's checker", () => {
  it('accepts every graph in models/', () => {
    const graphs = readdirSync(models, { recursive: true, encoding: 'utf8' })
      .filter(path => path.endsWith('.onnx'))
      .map(path => `${models}/${path}`);
    expect(graphs.length).toBeGreaterThan(0);
    const checked = execFileSync(python, [`${root}tests/conformance/check_onnx.py`, ...graphs], { encoding: 'utf8' });
    expect(checked.trim().split('\n')).toEqual(graphs);
  });
});
