// The life of a server: start, executors that are killed under load, and an end that loses nothing.
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { generator } from '@genserve/proto/wire';
import { afterEach, expect, test } from 'vitest';
import { modelFolder } from '../fixtures/models.js';
import { collect, type Serving, serve } from '../fixtures/serving.js';
import { startServer } from './server.js';

let serving: Serving | undefined;
afterEach(async () => {
  await serving?.close();
  serving = undefined;
});

test('an executor killed under load: every request is answered, and answered rightly', async () => {
  serving = await serve({ executors: { count: 2 } });
  const { client, server } = serving;
  const draw = async (seed: number) => {
    const parts = await collect(client.sample(generator.SampleRequest.fromPartial({ model: 'tiny', count: 3, seed })));
    return Buffer.concat(parts.map(part => part.samples?.data ?? Buffer.alloc(0)));
  };
  const expected: Buffer[] = [];
  for (let seed = 0; seed < 8; seed++) expected.push(await draw(seed));
  let stop = false;
  let right = 0;
  const load = Array.from({ length: 8 }, async (_, seed) => {
    while (!stop) {
      expect((await draw(seed)).equals(expected[seed] ?? Buffer.alloc(0))).toBe(true);
      right += 1;
    }
  });
  const killed = new Set<number>();
  for (let kill = 0; kill < 3; kill++) {
    const [pid = 0] = server.executors;
    process.kill(pid, 'SIGKILL');
    killed.add(pid);
    await expect.poll(() => server.executors.some(living => killed.has(living)), { timeout: 20_000 }).toBe(false);
    await new Promise(resolve => setTimeout(resolve, 400));
  }
  stop = true;
  await Promise.all(load);
  expect(right).toBeGreaterThan(8);
});

test('close finishes what is under way and takes nothing new', async () => {
  serving = await serve();
  const { server, url } = serving;
  const [pid = 0] = server.executors;
  process.kill(pid, 'SIGSTOP');
  const underWay = serving.post('/v1/models/tiny:sample', { seed: 1 });
  await new Promise(resolve => setTimeout(resolve, 400));
  const closed = server.close();
  const refused = () =>
    fetch(`${url}/v1/models`).then(
      ({ ok }) => !ok,
      () => true,
    );
  await expect.poll(refused, { timeout: 20_000 }).toBe(true);
  process.kill(pid, 'SIGCONT');
  expect((await underWay).status).toBe(200);
  await closed;
  expect(() => process.kill(pid, 0)).toThrow();
});

test('health says "not ready" before requests are refused', async () => {
  serving = await serve({ drain: { delayMs: 1000 } });
  const { server, url } = serving;
  const closed = server.close();
  expect((await fetch(`${url}/v2/health/ready`)).status).toBe(503);
  expect((await fetch(`${url}/v2/health/live`)).status).toBe(200);
  expect((await serving.post('/v1/models/tiny:sample', { seed: 1 })).status).toBe(200);
  await closed;
  await expect(fetch(`${url}/v1/models`)).rejects.toThrow();
});

test('SIGTERM ends the process in order', async () => {
  const models = await modelFolder();
  await models.add('tiny');
  const script = `
    import { closeOnSignals, startServer } from '@genserve/server';
    const server = await startServer({ models: ${JSON.stringify(models.path)}, httpPort: 0, grpcPort: 0 });
    closeOnSignals(server);
    await server.loaded;
    console.log(server.httpPort, server.executors.join());`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const line = await new Promise<string>(resolve => child.stdout.once('data', data => resolve(String(data))));
  const [port, executor] = line.split(' ').map(Number);
  process.kill(executor ?? 0, 'SIGSTOP');
  const underWay = fetch(`http://127.0.0.1:${port}/v1/models/tiny:sample`, { method: 'POST' });
  await new Promise(resolve => setTimeout(resolve, 400));
  const ended = new Promise(resolve => child.once('exit', (code, signal) => resolve(code ?? signal)));
  child.kill('SIGTERM');
  await new Promise(resolve => setTimeout(resolve, 400));
  process.kill(executor ?? 0, 'SIGCONT');
  expect((await underWay).status).toBe(200);
  expect(await ended).toBe(0);
  await models.remove();
});

test('what is wrong with the options is said before anything starts', async () => {
  const models = await modelFolder();
  const failing = (options: object) => startServer({ models: models.path, httpPort: 0, grpcPort: 0, ...options });
  await expect(failing({ speed: 11 })).rejects.toMatchObject({ reason: 'CONFIGURATION_INVALID', field: 'speed' });
  await expect(failing({ executors: { count: 0 } })).rejects.toMatchObject({ field: 'executors.count' });
  await expect(failing({ models: `${models.path}/none` })).rejects.toMatchObject({ field: 'models' });
  const other = createServer();
  await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve));
  const address = other.address();
  const taken = typeof address === 'object' ? address?.port : undefined;
  await expect(failing({ httpPort: taken })).rejects.toMatchObject({
    field: 'httpPort',
    message: expect.stringContaining('--http'),
  });
  await expect(failing({ grpcPort: taken })).rejects.toMatchObject({ field: 'grpcPort' });
  other.close();
  await models.remove();
});
