// Looking at what a path holds.
import { createHash } from 'node:crypto';
import { type Stats, statSync } from 'node:fs';
import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { invalid } from '@genserve/runtime';

/** What is at `path`; undefined where nothing is. */
export function look(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

/** All of a file, unpacked where it is gzipped. */
export async function readWhole(path: string): Promise<Buffer> {
  const bytes = await readFile(path);
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes);
  } catch (cause) {
    throw invalid(
      'data',
      `${path} is gzipped but cannot be unpacked: ${cause instanceof Error ? cause.message : cause}`,
    );
  }
}

/** The first `length` bytes of a file. */
export async function readHead(path: string, length: number): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Paths of all files below `folder`, relative to it, in the order of their names; hidden ones are left out. */
async function* walk(folder: string, prefix = ''): AsyncGenerator<string> {
  const entries = await readdir(join(folder, prefix), { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue;
    const path = prefix ? `${prefix}/${entry.name}` : entry.name;
    const directory = entry.isSymbolicLink() ? look(join(folder, path))?.isDirectory() : entry.isDirectory();
    if (directory) yield* walk(folder, path);
    else yield path;
  }
}

export async function filesBelow(folder: string, name: RegExp): Promise<string[]> {
  const paths: string[] = [];
  for await (const path of walk(folder)) if (name.test(path)) paths.push(path);
  return paths;
}

export async function anyFileBelow(folder: string, name: RegExp): Promise<boolean> {
  for await (const path of walk(folder)) if (name.test(path)) return true;
  return false;
}

/** SHA-256 of every file's path, size and content, in the order given. */
export async function hashFiles(folder: string, paths: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (let first = 0; first < paths.length; first += 64) {
    const group = paths.slice(first, first + 64);
    const contents = await Promise.all(group.map(path => readFile(join(folder, path))));
    for (const [i, content] of contents.entries()) {
      hash.update(`${group[i]}\0${content.byteLength}\0`);
      hash.update(content);
    }
  }
  return hash.digest('hex');
}
