import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeNpy } from '@genserve/runtime';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fileRows } from './file-rows.js';
import { openDataset } from './open.js';

let folder: string;
let path: string;
const bytes = Uint8Array.from({ length: 40 * 12 }, (_, i) => (i * 31) % 256);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'genserve-rows-'));
  path = join(folder, 'rows.npy');
  await writeFile(path, writeNpy([40, 3, 4], bytes));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it('reads the very rows that are read in memory, in any order', async () => {
  const dataset = await openDataset(path);
  const onDisk = await fileRows(path);
  expect(onDisk?.shape).toEqual([40, 3, 4]);
  expect(onDisk?.sha256).toBe(dataset.sha256);
  for (const rows of [[0, 1, 2, 3], [39, 5, 6, 7, 0], [12]])
    expect([...(await onDisk!.store.read(rows)).data]).toEqual([...(await dataset.all.read(rows)).data]);
});

it('leaves other arrays to the reader of whole files, and refuses one that was cut short', async () => {
  const floats = join(folder, 'floats.npy');
  await writeFile(floats, writeNpy([40, 3, 4], Float32Array.from(bytes)));
  expect(await fileRows(floats)).toBeUndefined();
  const short = join(folder, 'short.npy');
  await writeFile(short, writeNpy([40, 3, 4], bytes));
  await truncate(short, 300);
  await expect(fileRows(short)).rejects.toThrow(/480 bytes/);
});
