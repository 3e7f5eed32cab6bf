import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { encodeBody, float32, HEAD_LENGTH_HEADER } from '@genserve/runtime';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { answers, type BundleServer, serveBundles } from '../fixtures/bundle-server.js';
import { loadGenerator } from './index.js';

// A server that has the model and draws one picture, always the same: what matters is who was asked.
const drawn = float32([1, 16, 16, 1], new Float32Array(256).fill(0.5));
const server = createServer(async (request, response) => {
  asked.push(request.url ?? '');
  if (request.method === 'GET') {
    const manifest = await readFile(new URL('../../runtime/fixtures/tiny/1/manifest.json', import.meta.url), 'utf8');
    response.writeHead(200, { 'content-type': 'application/json' }).end(`{"manifest":${manifest}}`);
    return;
  }
  const { headLength, bytes } = encodeBody({ samples: drawn, seed: 7, firstIndex: 0 });
  response.writeHead(200, { [HEAD_LENGTH_HEADER]: headLength }).end(bytes);
});
const asked: string[] = [];
let bundles: BundleServer;
let url = '';

beforeAll(async () => {
  bundles = await serveBundles();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/`;
});
afterAll(async () => {
  server.close();
  await bundles.close();
});

const load = (bundle: string) => loadGenerator(bundle, { hybrid: true, server: { url, model: 'tiny' } });

it('stays on the device while that works, and asks the server nothing', async () => {
  await using model = await load(bundles.url('tiny/1'));
  expect((await model.sample({ seed: 7 })).data).not.toEqual(drawn);
  expect(model.backend).toBe('wasm');
  expect(asked).toEqual([]);
});

it('goes to the server where the model cannot be loaded, and says why', async () => {
  bundles.broken.set('weights.bin', answers.missing);
  await using model = await load(bundles.url('tiny/1'));
  bundles.broken.clear();
  expect(model.backend).toBe('server');
  expect(model.fallbackReason).toMatch(/weights\.bin answered 404 .*\(ASSET_UNREACHABLE\)/);
  expect((await model.sample({ seed: 7 })).data).toEqual(drawn);
});

it('does not take bad input elsewhere', async () => {
  await using model = await load(bundles.url('tiny/1'));
  await expect(model.sample({ count: -1 })).rejects.toMatchObject({ reason: 'INVALID_ARGUMENT' });
  expect(model.backend).toBe('wasm');
});

it('asks for a server where none is given and the address names none', async () => {
  bundles.broken.set('manifest.json', answers.missing);
  await expect(loadGenerator('http://127.0.0.1:9/tiny/1/', { hybrid: true })).rejects.toMatchObject({
    reason: 'CONFIGURATION_INVALID',
    field: 'server',
  });
  bundles.broken.clear();
});
