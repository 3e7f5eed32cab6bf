// Real executor processes: what happens to requests when one dies, hangs or is given nonsense.
import { createHash, randomBytes } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { buildFeeds, findOperation, type Operation, openBundle, type Tensors } from '@genserve/runtime';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { changeManifest, type ModelFolder, modelFolder } from '../../fixtures/models.js';
import { sourceOf } from '../repository/folder-source.js';
import { ServedModel } from '../repository/model.js';
import { ExecutorPool, type PoolSettings } from './pool.js';

let models: ModelFolder;
let model: ServedModel;
let sample: Operation;
let feeds: Tensors;
let pool: ExecutorPool<ServedModel> | undefined;

beforeAll(async () => {
  models = await modelFolder();
  model = await open(await models.add('tiny'));
  sample = findOperation(model.manifest, 'sample');
  feeds = buildFeeds(model.manifest, sample, 2, {}, { seed: 5 });
});
afterAll(() => models.remove());
afterEach(() => pool?.close());

async function open(folder: string): Promise<ServedModel> {
  return new ServedModel(await openBundle(sourceOf(folder)), folder, await readFile(`${folder}/manifest.json`));
}

async function startPool(settings: Partial<PoolSettings> = {}): Promise<ExecutorPool<ServedModel>> {
  pool = new ExecutorPool({ count: 1, threads: 1, hangTimeoutMs: 20_000, pingIntervalMs: 60_000, ...settings });
  await ready(pool, settings.count ?? 1);
  return pool;
}

/** The scheduler runs nothing before an executor is ready. */
async function ready(running: ExecutorPool<ServedModel>, count = 1): Promise<void> {
  await expect.poll(() => running.size, { timeout: 20_000 }).toBe(count);
}

test('a run gives the values that the bundle recorded', async () => {
  const { outputs, milliseconds } = await (await startPool()).run(model, 'sample', feeds, 10);
  const golden = model.manifest.golden.find(({ operation }) => operation === 'sample');
  expect(golden?.seed).toBe(5);
  golden?.values.forEach((value, i) => {
    expect(outputs.x?.data[i]).toBeCloseTo(value, 4);
  });
  expect(milliseconds).toBeGreaterThan(0);
});

test('kill -9 while idle: a new process takes over and gives the same', async () => {
  const running = await startPool();
  const before = await running.run(model, 'sample', feeds, 10);
  const [pid = 0] = running.pids;
  process.kill(pid, 'SIGKILL');
  await expect.poll(() => running.restarts, { timeout: 20_000 }).toBe(1);
  await ready(running);
  const after = await running.run(model, 'sample', feeds, 10);
  expect(after.outputs.x?.data).toEqual(before.outputs.x?.data);
  expect(running.pids).not.toContain(pid);
});

test('kill -9 during a run: EXECUTOR_LOST, and the slot comes back', async () => {
  const running = await startPool();
  await running.run(model, 'sample', feeds, 10);
  const [pid = 0] = running.pids;
  process.kill(pid, 'SIGSTOP');
  const lost = running.run(model, 'sample', feeds, 10);
  process.kill(pid, 'SIGKILL');
  await expect(lost).rejects.toMatchObject({ reason: 'EXECUTOR_LOST', retryable: true });
  await ready(running);
  await expect(running.run(model, 'sample', feeds, 10)).resolves.toMatchObject({ outputs: expect.anything() });
});

test('a process that hangs is killed after hangTimeoutMs and replaced', async () => {
  const running = await startPool({ hangTimeoutMs: 5000 });
  await running.run(model, 'sample', feeds, 10);
  process.kill(running.pids[0] ?? 0, 'SIGSTOP');
  await expect(running.run(model, 'sample', feeds, 10)).rejects.toMatchObject({ reason: 'EXECUTOR_LOST' });
  await ready(running);
  await expect(running.run(model, 'sample', feeds, 10)).resolves.toMatchObject({ outputs: expect.anything() });
  expect(running.restarts).toBe(1);
});

test('a graph that onnxruntime refuses fails its caller and nobody else', async () => {
  const running = await startPool();
  const folder = await models.add('tiny', 'broken');
  const noise = randomBytes(64);
  await writeFile(`${folder}/sample.onnx`, noise);
  const sha256 = createHash('sha256').update(noise).digest('hex');
  await changeManifest(folder, manifest => ({
    ...manifest,
    files: (manifest.files as { path: string }[]).map(file =>
      file.path === 'sample.onnx' ? { ...file, bytes: noise.length, sha256 } : file,
    ),
  }));
  const broken = await open(folder);
  const [pid] = running.pids;
  await expect(running.run(broken, 'sample', feeds, 10)).rejects.toMatchObject({ reason: 'INTERNAL' });
  await expect(running.run(model, 'sample', feeds, 10)).resolves.toMatchObject({ outputs: expect.anything() });
  expect(running.pids).toEqual([pid]);
});

test('two executors run at once', async () => {
  const running = await startPool({ count: 2 });
  const both = await Promise.all([running.run(model, 'sample', feeds, 10), running.run(model, 'sample', feeds, 10)]);
  expect(both[0].outputs.x?.data).toEqual(both[1].outputs.x?.data);
  expect(new Set(running.pids).size).toBe(2);
});

const prepare = (running: ExecutorPool<ServedModel>, added: ServedModel) =>
  running.prepare(added, ['sample'], {
    firstRuns: async run => void (await run('sample', feeds)),
    measure: async () => {},
  });

test('a model that comes while others are served is loaded by a fresh process, which takes over', async () => {
  const running = await startPool();
  await prepare(running, model);
  const [before] = running.pids;
  const second = await open(await models.add('tiny', 'second'));
  let answered = 0;
  const asking = (async () => {
    for (let done = false; !done; answered++) {
      await running.run(model, 'sample', feeds, 10);
      done = running.pids[0] !== before && answered > 20;
    }
  })();
  await prepare(running, second);
  await asking;
  expect(running.pids).not.toContain(before);
  expect(running.restarts).toBe(0);
  await expect(running.run(second, 'sample', feeds, 10)).resolves.toMatchObject({ outputs: expect.anything() });
});

test('a model that cannot be loaded leaves the process that serves as it was', async () => {
  const running = await startPool();
  await prepare(running, model);
  const pids = running.pids;
  const folder = await models.add('tiny', 'spoilt');
  const spoilt = await open(folder);
  await writeFile(`${folder}/sample.onnx`, randomBytes(64));
  await expect(prepare(running, spoilt)).rejects.toMatchObject({ reason: 'INTEGRITY_MISMATCH' });
  expect(running.pids).toEqual(pids);
  await expect(running.run(model, 'sample', feeds, 10)).resolves.toMatchObject({ outputs: expect.anything() });
});

test('a model that was unloaded is gone from the process', async () => {
  const running = await startPool();
  const folder = await models.add('tiny', 'short-lived');
  const shortLived = await open(folder);
  await prepare(running, shortLived);
  await rm(folder, { recursive: true });
  await expect(running.run(shortLived, 'sample', feeds, 10)).resolves.toMatchObject({ outputs: expect.anything() });
  await running.unload(shortLived);
  await expect(running.run(shortLived, 'sample', feeds, 10)).rejects.toMatchObject({ reason: 'ASSET_UNREACHABLE' });
});

test('options of sessions reach onnxruntime', async () => {
  const running = await startPool({ threads: 2, sessionOptions: { intra_op_thread_affinities: 'nonsense' } });
  await expect(running.run(model, 'sample', feeds, 10)).rejects.toMatchObject({ reason: 'INTERNAL' });
});
