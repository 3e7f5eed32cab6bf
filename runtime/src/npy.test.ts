import { describe, expect, it } from 'vitest';
import { readNpy, writeNpy } from './npy.js';

/** A file as NumPy writes it, put together by hand. */
function file(header: string, data: Uint8Array, version = 1): Uint8Array {
  const text = Buffer.from(`${header}\n`);
  const length = Buffer.alloc(version > 1 ? 4 : 2);
  if (version > 1) length.writeUInt32LE(text.length);
  else length.writeUInt16LE(text.length);
  return Buffer.concat([Buffer.from('\x93NUMPY', 'latin1'), Buffer.from([version, 0]), length, text, data]);
}
const bytesOf = (array: ArrayBufferView<ArrayBuffer>) => new Uint8Array(array.buffer);
const head = (kind: string, shape: string) => `{'descr': '${kind}', 'fortran_order': False, 'shape': (${shape}), }`;

describe('readNpy', () => {
  it.each([
    ['<f4', Float32Array.of(1.5, -2)],
    ['<f8', Float64Array.of(1e300, 2)],
    ['<i4', Int32Array.of(-7, 8)],
    ['|u1', Uint8Array.of(0, 255)],
  ])('reads %s', (kind, data) => {
    expect(readNpy(file(head(kind, '2,'), bytesOf(data)))).toEqual({ shape: [2], data });
  });

  it('reads 64-bit integers as numbers, and refuses those that a number cannot hold', () => {
    const data = BigInt64Array.of(-3n, 2n ** 53n - 1n);
    expect(readNpy(file(head('<i8', '2,'), bytesOf(data))).data).toEqual(Float64Array.of(-3, 2 ** 53 - 1));
    const large = file(head('<i8', '1,'), bytesOf(BigInt64Array.of(2n ** 53n)));
    expect(() => readNpy(large, 'labels')).toThrow(/^labels: holds 64-bit integers/);
  });

  it('reads format 2.0, several dimensions and scalars', () => {
    expect(readNpy(file(head('|u1', '2, 3'), new Uint8Array(6), 2)).shape).toEqual([2, 3]);
    expect(readNpy(file(head('<f4', ''), new Uint8Array(4))).shape).toEqual([]);
  });

  it.each([
    ['other bytes', Buffer.from('GIF89a------------'), /must begin with/],
    ['a cut header', file(head('<f4', '2,'), new Uint8Array(8)).subarray(0, 40), /cannot be read/],
    ['too few data', file(head('<f4', '2,'), new Uint8Array(7)), /must hold 8 bytes for shape \[2\], has 7/],
    ['big-endian data', file(head('>f4', '1,'), new Uint8Array(4)), /must hold float32, .* not >f4/],
    ['Fortran order', file(head('<f4', '1,').replace('False', 'True'), new Uint8Array(4)), /C order/],
    ['a header without shape', file("{'descr': '<f4'}", new Uint8Array(4)), /cannot be read/],
    ['a header that is not text', file('\ud800', new Uint8Array(4)), /cannot be read/],
  ])('refuses %s', (_what, bytes, message) => {
    expect(() => readNpy(bytes, 'table')).toThrow(message);
  });
});

describe('writeNpy', () => {
  it.each([
    [[2, 2], Float32Array.of(1, 2, 3, 4)],
    [[3], Float64Array.of(1, 2, 3)],
    [[2, 1], Int32Array.of(-1, 5)],
    [[0], new Uint8Array(0)],
  ])('writes what readNpy reads, shape %j', (shape, data) => {
    const bytes = writeNpy(shape, data);
    expect(readNpy(bytes)).toEqual({ shape, data });
    expect((bytes.length - data.byteLength) % 64).toBe(0);
  });
});
