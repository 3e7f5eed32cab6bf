// Rows of a .npy file of bytes, read when they are asked for: memory does not grow with the file.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { readNpy } from '@genserve/runtime';
import { readHead } from './files.js';
import { byteStore, type Store } from './store.js';

export interface FileRows {
  /** [count, ...row] */
  readonly shape: readonly number[];
  readonly store: Store;
  /** Of the whole file. */
  readonly sha256: string;
}

/** Undefined where the file does not hold pictures of uint8 in C order. Throws INVALID_ARGUMENT where it is cut short. */
export async function fileRows(path: string): Promise<FileRows | undefined> {
  const head = await readHead(path, 1024);
  const start = 10 + head.readUInt16LE(8);
  const text = head.subarray(10, start).toString('latin1');
  const dimensions = /'shape': *\(([\d, ]*)\)/.exec(text)?.[1];
  const shape = (dimensions?.match(/\d+/g) ?? []).map(Number);
  if (head[6] !== 1 || !/'descr': *'\|u1'/.test(text) || !/'fortran_order': *False/.test(text) || shape.length < 3)
    return undefined;
  const rowSize = shape.slice(1).reduce((product, length) => product * length, 1);
  const file = await open(path);
  // Refused in the words that a file in memory is refused with.
  const { size } = await file.stat();
  if (size !== start + rowSize * shape[0]!) readNpy(head, path);
  const store: Store = {
    count: shape[0]!,
    labels: undefined,
    async read(indices, into) {
      const bytes = new Uint8Array(indices.length * rowSize);
      // Neighbouring rows are read at once.
      for (let first = 0; first < indices.length; ) {
        let last = first + 1;
        while (last < indices.length && indices[last] === indices[last - 1]! + 1) last++;
        await file.read(bytes, first * rowSize, (last - first) * rowSize, start + indices[first]! * rowSize);
        first = last;
      }
      const places = Array.from({ length: indices.length }, (_, row) => row);
      return byteStore(bytes, rowSize).read(places, into);
    },
  };
  return { shape, store, sha256: await hashOf(path, size) };
}

/** As `sha256` of hash.ts, without holding the file. */
async function hashOf(path: string, size: number): Promise<string> {
  const hash = createHash('sha256');
  hash.update(`${size}:`);
  for await (const part of createReadStream(path)) hash.update(part as Buffer); // without an encoding, it gives Buffers
  return hash.digest('hex');
}
