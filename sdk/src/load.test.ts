import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, answers, type BundleServer, serveBundles } from '../fixtures/bundle-server.js';
import { type ClientGenerator, GenserveError, loadGenerator, type Progress } from './index.js';

let server: BundleServer;
let tiny: ClientGenerator;

beforeAll(async () => {
  server = await serveBundles();
  tiny = await loadGenerator(server.url('tiny/1'));
});
afterEach(() => server.broken.clear());
afterAll(async () => {
  await tiny.close();
  await server.close();
});

/** The error of a call that must fail. */
async function failureOf(call: Promise<unknown>): Promise<GenserveError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(GenserveError);
  return error as GenserveError; // just checked
}

describe('a model on this device', () => {
  it('gives the numbers that were recorded when the bundle was made', async () => {
    const { golden } = tiny.manifest;
    const sample = golden.find(({ operation }) => operation === 'sample');
    const { data, seed } = await tiny.sample({ seed: 5, count: 2 });
    expect(seed).toBe(5);
    expect(data.shape).toEqual([2, 16, 16, 1]);
    sample?.values.forEach((value, i) => {
      expect(data.data[i]).toBeCloseTo(value, 4);
    });
    expect(sample?.values.length).toBeGreaterThan(0);
  });

  it('follows its formula, x = sigmoid(z * scale + offset), from codes to pictures', async () => {
    const weights = new Float32Array(
      (await readFile(new URL('../../runtime/fixtures/tiny/1/weights.bin', import.meta.url))).buffer.slice(0),
    );
    const latents = await tiny.encode((await tiny.sample({ seed: 3 })).data, { seed: 1 });
    const { data } = await tiny.decode(latents);
    const codes = latents.z?.data ?? [];
    // Initialisers begin at multiples of 4,096 bytes: scale first, offset second.
    const expected = Array.from(codes, (z, i) => 1 / (1 + Math.exp(-(z * weights[i]! + weights[1024 + i]!))));
    expected.forEach((value, i) => {
      expect(data.data[i]).toBeCloseTo(value, 5);
    });
    expect(expected).toHaveLength(256);
  });

  it('answers overlapping calls on two models as it answers them one by one', async () => {
    await using other = await loadGenerator(server.url('tiny-rows/1'));
    const calls = Array.from({ length: 20 }, (_, seed) => [seed % 2 ? other : tiny, seed] as const);
    const draw = ([model, seed]: (typeof calls)[number]) => model.sample({ seed, count: 3 });
    const together = await Promise.all(calls.map(draw));
    for (const [i, call] of calls.entries()) expect(together[i]).toEqual(await draw(call));
  });

  it('scores what the model would not draw as rarer than what it would', async () => {
    const normal = (await tiny.sample({ seed: 11 })).data;
    const strange = { ...normal, data: normal.data.map(value => 1 - Math.round(value)) };
    const [[usual], [unusual]] = await Promise.all([tiny.anomaly(normal, { map: true }), tiny.anomaly(strange)]);
    expect(unusual?.scores[0]?.pValue).toBeLessThan(0.01);
    expect(unusual?.scores[0]?.decision).toBe('anomalous');
    expect(usual?.scores[0]?.pValue).toBeGreaterThan(0.05);
    expect(usual?.map?.shape).toEqual([16, 16]);
  });

  it('runs an operation on its own ports, in steps, as its verb does', async () => {
    const steps: number[] = [];
    const { data } = await tiny.sample({ seed: 3, count: 150 });
    const [port] = tiny.manifest.operations.find(({ name }) => name === 'encode')?.inputs ?? [];
    const draw = { seed: 1, firstIndex: 2 };
    const onProgress = ({ done }: Progress) => steps.push(done);
    const codes = await tiny.infer('encode', { [port!.name]: data }, { ...draw, onProgress });
    expect(codes).toEqual(await tiny.encode(data, draw));
    expect(steps[0]).toBeLessThan(150);
    expect(steps.at(-1)).toBe(150);
  });

  it('stops between steps when it is told to, and goes on working', async () => {
    const abort = new AbortController();
    let steps = 0;
    const onProgress = () => {
      // A timer: it gets its turn only if steps let timers through.
      if (++steps === 3) setTimeout(() => abort.abort());
    };
    const call = tiny.sample({ count: 500_000, signal: abort.signal, onProgress });
    expect((await failureOf(call)).reason).toBe('CANCELLED');
    const seen = steps;
    expect(seen).toBeGreaterThanOrEqual(3);
    expect(seen).toBeLessThan(20);
    expect((await tiny.sample({ seed: 5 })).data.shape).toEqual([1, 16, 16, 1]);
    expect(steps).toBeLessThanOrEqual(seen + 1);
  });

  it('does not begin a call that was aborted before', async () => {
    expect((await failureOf(tiny.sample({ signal: AbortSignal.abort() }))).reason).toBe('CANCELLED');
    const load = loadGenerator(server.url('tiny/1'), { signal: AbortSignal.abort() });
    expect((await failureOf(load)).reason).toBe('CANCELLED');
  });

  it('names the field of bad input', async () => {
    expect((await failureOf(tiny.sample({ count: -1 }))).toJSON()).toMatchObject({
      reason: 'INVALID_ARGUMENT',
      field: 'count',
    });
  });

  it('refuses calls once it is closed', async () => {
    const closed = await loadGenerator(server.url('tiny/1'));
    await closed.close();
    expect((await failureOf(closed.sample())).reason).toBe('MODEL_UNAVAILABLE');
  });
});

describe('the choice of backend', () => {
  it('explains why it is not WebGPU', () => {
    expect(tiny.backend).toBe('wasm');
    expect(tiny.fallbackReason).toMatch(/WebGPU/);
  });

  it('does not replace a backend that was asked for', async () => {
    const error = await failureOf(loadGenerator(server.url('tiny/1'), { device: 'webgpu' }));
    expect(error.reason).toBe('BACKEND_UNAVAILABLE');
  });
});

describe('loading', () => {
  it('fetches each file once, and only what is needed to run', async () => {
    server.requests.length = 0;
    await using generator = await loadGenerator(server.url('tiny-rows/1'));
    await generator.sample({ seed: 1 });
    // Of this bundle: of others, what a load that has failed asked for may still come.
    expect(server.requests.filter(path => path.startsWith('/tiny-rows/')).toSorted()).toEqual(
      ['manifest.json', ...generator.manifest.files.map(({ path }) => path)]
        .map(path => `/tiny-rows/1/${path}`)
        .toSorted(),
    );
  });

  it('reports the bytes that have come, up to the total, and then the session', async () => {
    const seen: Progress[] = [];
    await using generator = await loadGenerator(server.url('tiny/1'), { onProgress: progress => seen.push(progress) });
    const total = generator.manifest.files.reduce((sum, { bytes }) => sum + bytes, 0);
    const downloads = seen.filter(({ phase }) => phase === 'download');
    expect(downloads.at(-1)).toEqual({ phase: 'download', done: total, total, unit: 'bytes' });
    expect(downloads.map(({ done }) => done)).toEqual(downloads.map(({ done }) => done).toSorted((a, b) => a - b));
    expect(seen.at(-1)).toEqual({ phase: 'compile', done: 1, total: 1, unit: 'sessions' });
  });

  const cases: [string, string, Answer, string, RegExp][] = [
    ['a folder without a bundle', 'manifest.json', answers.missing, 'ASSET_UNREACHABLE', /manifest\.json answered 404/],
    ['a missing file', 'weights.bin', answers.missing, 'ASSET_UNREACHABLE', /tiny\/1\/weights\.bin answered 404/],
    ['a web page in place of a file', 'sample.onnx', answers.webPage, 'ASSET_UNREACHABLE', /sample\.onnx .*web page/],
    ['a connection that breaks', 'weights.bin', answers.brokenOff, 'ASSET_UNREACHABLE', /weights\.bin could not/],
    ['a truncated file', 'weights.bin', answers.truncated, 'INTEGRITY_MISMATCH', /weights\.bin has 2560 bytes/],
    ['a changed byte', 'weights.bin', answers.tampered, 'INTEGRITY_MISMATCH', /weights\.bin has SHA-256/],
    ['a manifest that is not JSON', 'manifest.json', answers.truncated, 'BUNDLE_INVALID', /manifest\.json is not JSON/],
  ];
  it.each(cases)('refuses %s, and loads once that is mended', async (_name, file, answer, reason, message) => {
    server.broken.set(file, answer);
    const error = await failureOf(loadGenerator(server.url('tiny/1')));
    expect(error.reason).toBe(reason);
    expect(error.message).toMatch(message);
    server.broken.clear();
    await using generator = await loadGenerator(server.url('tiny/1'));
    expect((await generator.sample({ seed: 5 })).data.shape).toEqual([1, 16, 16, 1]);
  });

  it('says so where nobody answers', async () => {
    const error = await failureOf(loadGenerator('http://127.0.0.1:9/tiny/1'));
    expect(error.reason).toBe('ASSET_UNREACHABLE');
    expect(error.message).toContain('http://127.0.0.1:9/tiny/1/manifest.json');
  });
});

it('does nothing when it is imported: no global, no timer, no onnxruntime', () => {
  const script = `
    const before = Object.getOwnPropertyNames(globalThis).join();
    await import('@genserve/sdk');
    const after = Object.getOwnPropertyNames(globalThis).join();
    console.log(before === after, process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length,
      Object.keys(process.moduleLoadList.filter(name => name.includes('onnx'))).length);`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: new URL('..', import.meta.url),
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  expect(stdout.trim()).toBe('true 0 0');
});
