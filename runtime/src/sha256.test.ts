import { createHash } from 'node:crypto';
import { expect, it, vi } from 'vitest';
import { sha256 } from './sha256.js';
import { digestPlain } from './sha256-plain.js';
import { utf8 } from './text.js';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

it('gives the published digest of "abc"', async () => {
  const digest = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
  expect(hex(digestPlain(utf8('abc')))).toBe(digest);
  expect(await sha256(utf8('abc'))).toBe(digest);
});

it.each([0, 1, 55, 56, 63, 64, 65, 119, 120, 1000, 100_003])(
  'agrees with OpenSSL on %d bytes, in plain code and through Web Crypto',
  async length => {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 31 + 7) & 255);
    const expected = createHash('sha256').update(bytes).digest('hex');
    expect(hex(digestPlain(bytes))).toBe(expected);
    expect(await sha256(bytes)).toBe(expected);
  },
);

it('falls back to plain code where crypto.subtle is missing', async () => {
  vi.stubGlobal('crypto', {});
  const digest = await sha256(utf8('abc'));
  vi.unstubAllGlobals();
  expect(digest).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});
