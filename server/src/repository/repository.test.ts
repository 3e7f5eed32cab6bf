// Bundles that cannot be served are listed with their reason, and the others serve.
import { cp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generator } from '@genserve/proto/wire';
import { parseManifest } from '@genserve/runtime';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { changeManifest, type ModelFolder } from '../../fixtures/models.js';
import { type Serving, serve } from '../../fixtures/serving.js';

let serving: Serving;
beforeAll(async () => {
  serving = await serve({}, fill);
});
afterAll(() => serving.close());

async function fill(models: ModelFolder): Promise<void> {
  await models.add('tiny', 'good', 1);
  await models.add('tiny', 'good', 2);
  await rm(join(await models.add('tiny', 'good', 3), 'sample.onnx'));

  const tampered = join(await models.add('tiny', 'tampered'), 'weights.bin');
  const weights = await readFile(tampered);
  weights.writeUInt8(weights.readUInt8(7) ^ 1, 7);
  await writeFile(tampered, weights);

  await changeManifest(await models.add('tiny', 'escaping'), manifest => ({
    ...manifest,
    files: [...(manifest.files as unknown[]), { path: '../../good/1/weights.bin', bytes: 1, sha256: '0'.repeat(64) }],
  }));

  const linked = join(await models.add('tiny', 'linked'), 'weights.bin');
  await rm(linked);
  await symlink(join(models.path, 'good', '1', 'weights.bin'), linked);

  await changeManifest(await models.add('tiny', 'newer'), manifest => ({ ...manifest, format: 2 }));
  await rm(join(await models.add('tiny', 'incomplete'), 'log_prob.onnx'));
  await writeFile(join(await models.add('tiny', 'garbled'), 'manifest.json'), '{"format": ');
  await cp(join(models.path, 'good', '1'), join(models.path, 'renamed', '1'), { recursive: true });
}

async function get(path: string) {
  const response = await fetch(serving.url + path);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

test('every bad bundle is listed with its reason', async () => {
  const { body } = await get('/v1/models');
  const { models } = generator.ListModelsResponse.fromJSON(body);
  const reasons = Object.fromEntries(models.map(({ name, state, reason }) => [name, `${state} ${reason}`]));
  expect(reasons).toEqual({
    good: 'ready ',
    tampered: expect.stringMatching(/^unavailable INTEGRITY_MISMATCH: weights.bin has SHA-256/),
    escaping: expect.stringMatching(/^unavailable BUNDLE_INVALID: files\[\d+\]\.path: must be a relative path/),
    linked: expect.stringMatching(/^unavailable BUNDLE_INVALID: weights.bin leads out of the bundle's folder/),
    newer: expect.stringMatching(/^unavailable BUNDLE_INVALID: format: .* has format 2/),
    incomplete: expect.stringMatching(/^unavailable ASSET_UNREACHABLE: log_prob.onnx cannot be read \(ENOENT\)/),
    garbled: expect.stringMatching(/^unavailable BUNDLE_INVALID: manifest.json is not JSON/),
    renamed: expect.stringMatching(/^unavailable BUNDLE_INVALID: the manifest says good\/1/),
  });
  for (const reason of Object.values(reasons)) expect(reason).not.toContain(serving.models.path);
});

test('a request for one is MODEL_UNAVAILABLE, GetModel tells why, and health says no', async () => {
  const response = await serving.post('/v1/models/tampered:sample', {});
  expect(response.status).toBe(503);
  const { error } = (await response.json()) as { error: { reason: string; message: string } };
  expect(error).toMatchObject({ reason: 'MODEL_UNAVAILABLE', message: expect.stringContaining('weights.bin') });
  expect(await get('/v1/models/tampered')).toMatchObject({ status: 200, body: { state: 'unavailable' } });
  expect((await get('/v2/models/tampered/ready')).status).toBe(503);
});

test('the newest version that can be served answers; others are asked for by number', async () => {
  const versionOf = async (path: string) => {
    const body: unknown = await (await serving.post(path, { seed: 1 })).json();
    return generator.SampleResponse.fromJSON(body).version;
  };
  expect(await versionOf('/v1/models/good:sample')).toBe(2);
  expect(await versionOf('/v1/models/good/versions/1:sample')).toBe(1);
  expect((await serving.post('/v1/models/good/versions/3:sample', {})).status).toBe(503);
  expect((await get('/v1/models/good')).body).toMatchObject({ state: 'ready', bundlePath: '/bundles/good/2/' });
});

test('GetModel gives the manifest that the bundle has', async () => {
  const { body } = await get('/v1/models/good/versions/1');
  const file = await readFile(join(serving.models.path, 'good', '1', 'manifest.json'), 'utf8');
  expect(parseManifest(body.manifest)).toEqual(parseManifest(JSON.parse(file)));
});
