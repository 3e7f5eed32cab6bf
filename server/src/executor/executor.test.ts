// Real executor processes: what happens to requests when one dies, hangs or is given nonsense.
import { randomBytes } from 'node:crypto';
import { buildFeeds, findOperation, type Operation, openBundle, type Tensors } from '@genserve/runtime';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { modelFolder } from '../../fixtures/models.js';
import { folderSource } from '../repository/folder-source.js';
import { ServedModel } from '../repository/model.js';
import { ExecutorPool, type PoolSettings } from './pool.js';

let model: ServedModel;
let sample: Operation;
let feeds: Tensors;
let pool: ExecutorPool<ServedModel> | undefined;

beforeAll(async () => {
  const models = await modelFolder();
  const bundle = await openBundle(folderSource(await models.add('tiny')));
  model = new ServedModel(bundle);
  sample = findOperation(bundle.manifest, 'sample');
  feeds = buildFeeds(bundle.manifest, sample, 2, {}, { seed: 5 });
  await bundle.graph('sample');
  await models.remove();
});
afterEach(() => pool?.close());

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
  const { outputs, milliseconds } = await (await startPool()).run(model, sample, feeds);
  const golden = model.manifest.golden.find(({ operation }) => operation === 'sample');
  expect(golden?.seed).toBe(5);
  golden?.values.forEach((value, i) => {
    expect(outputs.x?.data[i]).toBeCloseTo(value, 4);
  });
  expect(milliseconds).toBeGreaterThan(0);
});

test('kill -9 while idle: a new process takes over and gives the same', async () => {
  const running = await startPool();
  const before = await running.run(model, sample, feeds);
  const [pid = 0] = running.pids;
  process.kill(pid, 'SIGKILL');
  await expect.poll(() => running.restarts, { timeout: 20_000 }).toBe(1);
  await ready(running);
  const after = await running.run(model, sample, feeds);
  expect(after.outputs.x?.data).toEqual(before.outputs.x?.data);
  expect(running.pids).not.toContain(pid);
});

test('kill -9 during a run: EXECUTOR_LOST, and the slot comes back', async () => {
  const running = await startPool();
  await running.run(model, sample, feeds);
  const [pid = 0] = running.pids;
  process.kill(pid, 'SIGSTOP');
  const lost = running.run(model, sample, feeds);
  process.kill(pid, 'SIGKILL');
  await expect(lost).rejects.toMatchObject({ reason: 'EXECUTOR_LOST', retryable: true });
  await ready(running);
  await expect(running.run(model, sample, feeds)).resolves.toMatchObject({ outputs: expect.anything() });
});

test('a process that hangs is killed after hangTimeoutMs and replaced', async () => {
  const running = await startPool({ hangTimeoutMs: 5000 });
  await running.run(model, sample, feeds);
  process.kill(running.pids[0] ?? 0, 'SIGSTOP');
  await expect(running.run(model, sample, feeds)).rejects.toMatchObject({ reason: 'EXECUTOR_LOST' });
  await ready(running);
  await expect(running.run(model, sample, feeds)).resolves.toMatchObject({ outputs: expect.anything() });
  expect(running.restarts).toBe(1);
});

test('a graph that onnxruntime refuses fails its caller and nobody else', async () => {
  const running = await startPool();
  const broken = {
    key: 'broken/1',
    graph: async () => ({ model: Uint8Array.from(randomBytes(64)), externalData: [] }),
  };
  const [pid] = running.pids;
  const mixed = running as ExecutorPool<Pick<ServedModel, 'key' | 'graph'>>;
  await expect(mixed.run(broken, sample, feeds)).rejects.toMatchObject({ reason: 'INTERNAL' });
  await expect(mixed.run(model, sample, feeds)).resolves.toMatchObject({ outputs: expect.anything() });
  expect(running.pids).toEqual([pid]);
});

test('two executors run at once', async () => {
  const running = await startPool({ count: 2 });
  const both = await Promise.all([running.run(model, sample, feeds), running.run(model, sample, feeds)]);
  expect(both[0].outputs.x?.data).toEqual(both[1].outputs.x?.data);
  expect(new Set(running.pids).size).toBe(2);
});
