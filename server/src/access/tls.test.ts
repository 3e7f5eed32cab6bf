// TLS and mutual TLS, over both transports.
import { request } from 'node:https';
import { generator } from '@genserve/proto/wire';
import { credentials, Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Certificates, makeCertificates } from '../../fixtures/certificates.js';
import { type Serving, serve } from '../../fixtures/serving.js';

let certificates: Certificates;
let serving: Serving;
beforeAll(async () => {
  certificates = makeCertificates();
  const [certificate, key] = [certificates.path('server.pem'), certificates.path('server.key')];
  serving = await serve({ tls: { certificate, key, clientAuthority: certificates.path('authority.pem') } });
});
afterAll(async () => {
  await serving.close();
  certificates[Symbol.dispose]();
});

function overHttps(withCertificate: boolean): Promise<number | string | undefined> {
  const caller = { cert: certificates.read('caller.pem'), key: certificates.read('caller.key') };
  const options = { ca: certificates.read('authority.pem'), ...(withCertificate && caller) };
  return new Promise(resolve => {
    request(`https://localhost:${serving.server.httpPort}/v1/models`, options, response => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', () => resolve('refused'))
      .end();
  });
}

function overGrpc(withCertificate: boolean): Promise<number> {
  const [key, chain] = withCertificate ? [certificates.read('caller.key'), certificates.read('caller.pem')] : [];
  const secure = credentials.createSsl(certificates.read('authority.pem'), key ?? null, chain ?? null);
  const client = new generator.GeneratorServiceClient(`localhost:${serving.server.grpcPort}`, secure);
  return new Promise(resolve => {
    client.listModels({}, new Metadata(), { deadline: Date.now() + 5_000 }, error => {
      resolve(error?.code ?? 0);
      client.close();
    });
  });
}

test('a caller with a certificate of the authority is let in, one without is not', async () => {
  expect(await overHttps(true)).toBe(200);
  expect(await overHttps(false)).toBe('refused');
  expect(await overGrpc(true)).toBe(0);
  expect(await overGrpc(false)).not.toBe(0);
});

test('plain HTTP is not spoken there, and example calls say https', async () => {
  await expect(fetch(`http://127.0.0.1:${serving.server.httpPort}/v1/models`)).rejects.toThrow();
  expect(serving.server.exampleCalls()).toContain(`https://127.0.0.1:${serving.server.httpPort}`);
});

test('files that cannot be read, or half of a pair, are said before anything starts', async () => {
  const [certificate, key] = ['/nowhere/server.pem', certificates.path('server.key')];
  await expect(serve({ tls: { certificate, key } })).rejects.toMatchObject({ field: 'tls.certificate' });
  await expect(serve({ tls: { certificate } })).rejects.toMatchObject({ field: 'tls' });
});
