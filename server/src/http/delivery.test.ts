// How answers travel: compressed for those who accept it, within limits, with the headers that browsers need.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Serving, serve } from '../../fixtures/serving.js';

const page = mkdtempSync(join(tmpdir(), 'genserve-page-'));
let serving: Serving;
beforeAll(async () => {
  mkdirSync(join(page, 'assets'));
  writeFileSync(join(page, 'index.html'), '<!doctype html>');
  writeFileSync(join(page, 'assets', 'runtime-1a2b.wasm'), wasm);
  writeFileSync(join(page, 'assets', 'runtime-1a2b.wasm.br'), brotliCompressSync(wasm));
  serving = await serve({ limits: { maxHeaderBytes: 4096 }, playground: page });
});
afterAll(async () => {
  await serving.close();
  rmSync(page, { recursive: true });
});

const wasm = Buffer.alloc(20_000, 'webassembly');

/** By node:http: fetch unpacks what it is sent. */
function raw(path: string, headers: Record<string, string>): Promise<{ headers: IncomingHttpHeaders; body: Buffer }> {
  return new Promise((resolve, reject) => {
    get(serving.url + path, { headers }, async response => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      resolve({ headers: response.headers, body: Buffer.concat(chunks) });
    }).on('error', reject);
  });
}

test('JSON is compressed for those who accept it, and smaller; others get it plain', async () => {
  const plain = await raw('/openapi.json', { 'accept-encoding': 'identity' });
  const packed = await raw('/openapi.json', { 'accept-encoding': 'gzip' });
  expect(packed.headers).toMatchObject({
    'content-encoding': 'gzip',
    vary: expect.stringContaining('Accept-Encoding'),
  });
  expect(gunzipSync(packed.body).equals(plain.body)).toBe(true);
  expect(packed.body.length).toBeLessThan(plain.body.length / 3);
});

test('raw tensors and small answers are not', async () => {
  const weights = await raw('/bundles/tiny/1/weights.bin', { 'accept-encoding': 'gzip' });
  expect(weights.headers['content-encoding']).toBeUndefined();
  expect((await raw('/v2', { 'accept-encoding': 'gzip' })).headers['content-encoding']).toBeUndefined();
});

test('WebAssembly comes as it was compressed beforehand, to be kept for ever', async () => {
  const path = '/assets/runtime-1a2b.wasm';
  const packed = await raw(path, { 'accept-encoding': 'gzip, br' });
  expect(packed.headers).toMatchObject({
    'content-type': 'application/wasm',
    'content-encoding': 'br',
    'cache-control': 'public, max-age=31536000, immutable',
    vary: expect.stringContaining('Accept-Encoding'),
  });
  expect(packed.body.length).toBeLessThan(200);
  expect(brotliDecompressSync(packed.body).equals(wasm)).toBe(true);
  const plain = await raw(path, {});
  expect(plain.headers['content-encoding']).toBeUndefined();
  expect(plain.body.equals(wasm)).toBe(true);
});

test('headers beyond the limit are refused, and the connection with them', async () => {
  const status = await new Promise<string>(resolve => {
    const socket = connect(serving.server.httpPort, '127.0.0.1', () => {
      socket.write(`GET /v2 HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'a'.repeat(8192)}\r\n\r\n`);
    });
    socket.once('data', data => resolve(data.toString().split('\r\n', 1)[0] ?? ''));
  });
  expect(status).toBe('HTTP/1.1 431 Request Header Fields Too Large');
});

test('browsers are told what pages may load, and that nothing frames them', async () => {
  const { headers } = await raw('/', {});
  expect(headers['content-security-policy']).toContain("default-src 'self'");
  expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
  expect(headers).toMatchObject({
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
  });
  expect(headers['x-powered-by']).toBeUndefined();
  expect(headers['strict-transport-security']).toBeUndefined();
});

test('the page that tries the calls loads everything from this server', async () => {
  const { body } = await raw('/docs/', {});
  const sources = [...body.toString().matchAll(/(?:src|href)="([^"]+)"/g)].map(([, source = '']) => source);
  expect(sources.length).toBeGreaterThan(3);
  for (const source of sources) {
    expect(source).not.toMatch(/^(https?:)?\/\//);
    expect((await fetch(new URL(source, `${serving.url}/docs/`))).status, source).toBe(200);
  }
  expect((await raw('/docs/swagger-initializer.js', {})).body.toString()).toContain('openapi.json');
});
