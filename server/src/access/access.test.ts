// Who is let in, over both transports: API keys, tokens, their models and rates, and what is open to all.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generator, health, inference } from '@genserve/proto/wire';
import { credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { collect, readFailure, type Serving, serve } from '../../fixtures/serving.js';
import { parseOptions } from '../options.js';
import { addKey } from './keys.js';

let folder: string;
let serving: Serving;
let sign: (claims: object, options?: { audience?: string; expires?: string }) => Promise<string>;
const keys: Record<'ops' | 'tiny' | 'slow', string> = { ops: '', tiny: '', slow: '' };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'genserve-access-'));
  const keyFile = join(folder, 'keys.json');
  keys.ops = await addKey(keyFile, { name: 'ops', admin: true });
  keys.tiny = await addKey(keyFile, { name: 'tiny only', admin: false, models: ['tiny'] });
  keys.slow = await addKey(keyFile, { name: 'slow', admin: false, requestsPerMinute: 2 });
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  await writeFile(join(folder, 'jwks.json'), JSON.stringify({ keys: [await exportJWK(publicKey)] }));
  sign = (claims, { audience = 'genserve', expires = '5m' } = {}) =>
    new SignJWT({ ...claims })
      .setProtectedHeader({ alg: 'ES256' })
      .setSubject('ann')
      .setAudience(audience)
      .setExpirationTime(expires)
      .sign(privateKey);
  serving = await serve({
    access: {
      keys: keyFile,
      jwks: join(folder, 'jwks.json'),
      audience: 'genserve',
      auditLog: join(folder, 'audit.log'),
    },
    repository: { control: 'explicit', load: ['tiny', 'tiny-rows'] },
  });
});
afterAll(async () => {
  await serving.close();
  await rm(folder, { recursive: true });
});

type Headers = Record<string, string>;
const withKey = (key: string): Headers => ({ 'x-api-key': key });
const withToken = (token: string): Headers => ({ authorization: `Bearer ${token}` });

/** The reason of a request to sample over each transport. */
async function outcomes(headers: Headers, model = 'tiny'): Promise<string[]> {
  const response = await serving.post(`/v1/models/${model}:sample`, {}, headers);
  const body = (await response.json()) as { error?: { reason: string } };
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const call = serving.client.sample(generator.SampleRequest.fromPartial({ model }), metadata);
  const grpc = await collect(call).then(
    () => 'OK',
    error => readFailure(error as ServiceError).reason,
  );
  return [body.error?.reason ?? 'OK', grpc];
}

const both = (reason: string) => [reason, reason];

describe('credentials', () => {
  test('an API key lets its holder in, by its own header or as a bearer', async () => {
    expect(await outcomes(withKey(keys.ops))).toEqual(both('OK'));
    expect(await outcomes(withToken(keys.ops))).toEqual(both('OK'));
  });

  test.each([
    ['none', {}],
    ['an unknown key', withKey('gs_guess')],
    ['a key that differs in its last letter', withKey('gs_'.padEnd(46, 'A'))],
    ['another scheme', { authorization: 'Basic YTpi' }],
    ['a token that is none', withToken('a.b.c')],
  ])('%s: UNAUTHENTICATED', async (_, headers: Headers) => {
    expect(await outcomes(headers)).toEqual(both('UNAUTHENTICATED'));
  });

  test('keys are kept as hashes only', async () => {
    const file = await readFile(join(folder, 'keys.json'), 'utf8');
    for (const key of Object.values(keys)) expect(file).not.toContain(key.slice(3));
    await expect(addKey(join(folder, 'keys.json'), { name: 'ops', admin: false })).rejects.toThrow(/has a key ops/);
  });

  test('a signed token lets its subject in; an expired, foreign or forged one does not', async () => {
    expect(await outcomes(withToken(await sign({})))).toEqual(both('OK'));
    expect(await outcomes(withToken(await sign({}, { expires: '-1m' })))).toEqual(both('UNAUTHENTICATED'));
    expect(await outcomes(withToken(await sign({}, { audience: 'other' })))).toEqual(both('UNAUTHENTICATED'));
    const [head, , signature] = (await sign({})).split('.');
    const claims = Buffer.from(JSON.stringify({ sub: 'eve', aud: 'genserve' })).toString('base64url');
    expect(await outcomes(withToken(`${head}.${claims}.${signature}`))).toEqual(both('UNAUTHENTICATED'));
    const unsigned = Buffer.from('{"alg":"none"}').toString('base64url');
    expect(await outcomes(withToken(`${unsigned}.${claims}.`))).toEqual(both('UNAUTHENTICATED'));
  });
});

describe('rights', () => {
  test.each(['key', 'token'])('a %s for one model sees and uses no other', async kind => {
    const headers = kind === 'key' ? withKey(keys.tiny) : withToken(await sign({ models: ['tiny'] }));
    expect(await outcomes(headers)).toEqual(both('OK'));
    expect(await outcomes(headers, 'tiny-rows')).toEqual(both('PERMISSION_DENIED'));
    const { models } = (await (await fetch(`${serving.url}/v1/models`, { headers })).json()) as { models: object[] };
    expect(models).toHaveLength(1);
    for (const path of ['/v1/models/tiny-rows', '/v2/models/tiny-rows', '/bundles/tiny-rows/1/manifest.json']) {
      expect((await fetch(serving.url + path, { headers })).status, path).toBe(403);
    }
  });

  test('only administrators load and unload; what they and others tried is in the audit log', async () => {
    const unload = (headers: Headers) => serving.post('/v2/repository/models/tiny-rows/unload', {}, headers);
    expect((await unload(withKey(keys.tiny))).status).toBe(403);
    expect((await unload(withToken(await sign({})))).status).toBe(403);
    expect((await unload({ ...withKey(keys.ops), 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await unload({ ...withKey(keys.ops), 'x-request-id': 'audit-1' })).status).toBe(200);
    expect(
      (
        await serving.post(
          '/v2/repository/models/tiny-rows/load',
          {},
          withToken(await sign({ scope: 'genserve:admin' })),
        )
      ).status,
    ).toBe(200);
    const lines = (await readFile(join(folder, 'audit.log'), 'utf8')).trim().split('\n');
    expect(lines.map(line => JSON.parse(line))).toMatchObject([
      { action: 'unload', model: 'tiny-rows', caller: 'tiny only', outcome: 'PERMISSION_DENIED' },
      { action: 'unload', caller: 'ann', outcome: 'PERMISSION_DENIED' },
      { action: 'unload', caller: 'ops', outcome: 'OK', requestId: 'audit-1' },
      { action: 'load', caller: 'ann', outcome: 'OK' },
    ]);
  });

  test('a key has its own rate: beyond it OVERLOADED, with a time to come back', async () => {
    const [first, second] = [await outcomes(withKey(keys.slow)), await outcomes(withKey(keys.slow))];
    expect(first).toEqual(both('OK'));
    expect(second).toEqual(both('OVERLOADED'));
    const refused = await serving.post('/v1/models/tiny:sample', {}, withKey(keys.slow));
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await outcomes(withKey(keys.ops))).toEqual(both('OK'));
  });
});

test('health, pages and the document are open to all; metrics and /v2 are not', async () => {
  for (const path of ['/v2/health/live', '/v2/health/ready', '/', '/docs/', '/openapi.json', '/status']) {
    expect((await fetch(serving.url + path)).status, path).toBe(200);
  }
  for (const path of ['/metrics', '/status.json', '/v2', '/v2/models/tiny', '/bundles/tiny/1/manifest.json']) {
    const response = await fetch(serving.url + path);
    expect(response.status, path).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
  }
  const address = `127.0.0.1:${serving.server.grpcPort}`;
  const healthClient = new health.HealthClient(address, credentials.createInsecure());
  const client = new inference.GRPCInferenceServiceClient(address, credentials.createInsecure());
  const codes = await Promise.all([
    new Promise(resolve => healthClient.check({ service: '' }, error => resolve(error?.code ?? 0))),
    new Promise(resolve => client.serverReady({}, error => resolve(error?.code ?? 0))),
    new Promise(resolve => client.modelReady({ name: 'tiny', version: '' }, error => resolve(error?.code ?? 0))),
  ]);
  expect(codes).toEqual([0, 0, 16]);
  for (const each of [healthClient, client]) each.close();
});

test('beyond loopback, access must have been chosen', () => {
  expect(() => parseOptions({ host: '0.0.0.0' })).toThrow(/access\.keys, access\.jwks .* access\.anonymous=true/);
  expect(() => parseOptions({ host: '::' })).toThrow(/access/);
  for (const access of [{ anonymous: true }, { keys: 'keys.json' }, { jwks: 'https://example.org/jwks' }]) {
    expect(parseOptions({ host: '0.0.0.0', access }).access).toEqual(access);
  }
  for (const host of ['127.0.0.1', 'localhost', '::1']) expect(parseOptions({ host }).host).toBe(host);
});
