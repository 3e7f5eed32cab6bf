import { describe, expect, it } from 'vitest';
import { fixtureFiles } from '../fixtures/session.mjs';
import { type BundleSource, memorySource, openBundle } from './bundle.js';
import { fromUtf8, utf8 } from './text.js';

const files = fixtureFiles('tiny');

/** A source that counts reads, and holds them until told otherwise. */
function counting(source: BundleSource) {
  const reads: string[] = [];
  return {
    reads,
    read: (path: string, options?: Parameters<BundleSource['read']>[1]) => {
      reads.push(path);
      return source.read(path, options);
    },
  };
}

describe('openBundle', () => {
  it('reads the manifest alone, and each file once, however many ask for it', async () => {
    const source = counting(memorySource(files));
    const bundle = await openBundle(source);
    expect(source.reads).toEqual(['manifest.json']);
    const [a, b] = await Promise.all([bundle.file('weights.bin'), bundle.file('weights.bin')]);
    expect(a).toEqual(files['weights.bin']);
    expect(b).toBe(a);
    expect(source.reads).toEqual(['manifest.json', 'weights.bin']);
    bundle.forget();
    await bundle.file('weights.bin');
    expect(source.reads.length).toBe(3);
  });

  it('gives a graph with the weights beside it, and tables as numbers', async () => {
    const bundle = await openBundle(memorySource(files));
    const graph = await bundle.graph('decode');
    expect(graph).toEqual({
      model: files['decode.onnx'],
      externalData: [{ path: 'weights.bin', data: files['weights.bin'] }],
    });
    const table = await bundle.table('tables/nll.npy');
    expect(table.length).toBe(199);
    expect(Array.from(table)).toEqual(Array.from(table).sort((a, b) => a - b));
  });

  it('finds variants and members of ensembles', async () => {
    const manifest = JSON.parse(fromUtf8(files['manifest.json']!));
    const variant = (path: string) => ({ ...manifest.files.find((file: { path: string }) => file.path === path) });
    for (const { file } of manifest.operations) manifest.files.push({ ...variant(file), path: `float16/${file}` });
    manifest.files.push({ ...variant('weights.bin'), path: 'float16/weights.bin' });
    manifest.variants = [{ name: 'float16', folder: 'float16' }];
    manifest.conditions = [{ kind: 'label', size: 1 }];
    manifest.operations[0].inputs.push({ name: 'label', dtype: 'int32', shape: [0], role: 'label' });
    manifest.operations[0].members = [{ labels: [0], file: 'decode.onnx' }];
    const copies = Object.fromEntries(Object.entries(files).map(([path, bytes]) => [`float16/${path}`, bytes]));
    const source = counting(memorySource({ ...files, ...copies, 'manifest.json': JSON.stringify(manifest) }));
    const bundle = await openBundle(source);
    await bundle.graph('sample', { variant: 'float16' });
    expect(source.reads.slice(1)).toEqual(['float16/sample.onnx', 'float16/weights.bin', 'sample.onnx']);
    expect((await bundle.graph('sample#0')).model).toEqual(files['decode.onnx']);
    await expect(bundle.graph('sample#1')).rejects.toMatchObject({ reason: 'BUNDLE_INVALID', field: 'members' });
    await expect(bundle.graph('sample', { variant: 'int8' })).rejects.toMatchObject({ field: 'variant' });
  });

  it('refuses a file whose content was changed, and one of another size', async () => {
    const tampered = files['weights.bin']!.slice();
    tampered[100]! ^= 1;
    for (const [bytes, message] of [
      [tampered, /weights.bin has SHA-256 [0-9a-f]{64} where/],
      [tampered.slice(1), /weights.bin has 5119 bytes where the manifest states 5120/],
    ] as const) {
      const bundle = await openBundle(memorySource({ ...files, 'weights.bin': bytes }));
      await expect(bundle.graph('decode')).rejects.toMatchObject({
        reason: 'INTEGRITY_MISMATCH',
        field: 'weights.bin',
        message: expect.stringMatching(message),
      });
    }
  });

  it('tries again after a read that failed', async () => {
    let broken = true;
    const whole = memorySource(files);
    const bundle = await openBundle({
      read: async (path, options) => {
        if (broken && path === 'weights.bin') throw new Error('the line was cut');
        return await whole.read(path, options);
      },
    });
    await expect(bundle.file('weights.bin')).rejects.toThrow('the line was cut');
    broken = false;
    expect((await bundle.file('weights.bin')).length).toBe(5120);
  });

  it('names a file that is missing, and one that the manifest does not list', async () => {
    const { 'decode.onnx': _, ...rest } = files;
    const bundle = await openBundle(memorySource(rest));
    await expect(bundle.graph('decode')).rejects.toMatchObject({ reason: 'ASSET_UNREACHABLE', field: 'decode.onnx' });
    await expect(bundle.file('../secret')).rejects.toMatchObject({ reason: 'BUNDLE_INVALID' });
    await expect(openBundle(memorySource({}))).rejects.toMatchObject({ reason: 'ASSET_UNREACHABLE' });
  });

  it.each([
    ['a page in its place', utf8('<!doctype html><p>Not found')],
    ['bytes that are no text', Uint8Array.of(0xff, 0xfe, 0x00)],
  ])('says what manifest.json begins with where it is %s', async (_what, bytes) => {
    const opening = openBundle(memorySource({ 'manifest.json': bytes }));
    await expect(opening).rejects.toMatchObject({
      reason: 'BUNDLE_INVALID',
      field: 'manifest.json',
      message: expect.stringMatching(/is not JSON; it begins with "/),
    });
  });

  it('stops where the signal is aborted, and reports bytes', async () => {
    const bundle = await openBundle(memorySource(files));
    const signal = AbortSignal.abort();
    await expect(bundle.file('weights.bin', { signal })).rejects.toMatchObject({ reason: 'CANCELLED' });
    const seen: number[] = [];
    await bundle.file('weights.bin', { onProgress: bytes => seen.push(bytes) });
    expect(seen).toEqual([5120]);
  });
});
