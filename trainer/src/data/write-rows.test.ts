import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Domain, Samples } from '@genserve/runtime';
import { afterAll, describe, expect, it } from 'vitest';
import { imageDomain } from './image-domain.js';
import { openDataset } from './open.js';
import { rowWriter } from './write-rows.js';

const root = mkdtempSync(join(tmpdir(), 'genserve-rows-'));
afterAll(() => rmSync(root, { recursive: true }));

const classes = ['cat', 'dog/../wolf'];
const images: Domain = imageDomain({ height: 2, width: 3, channels: 1, labels: classes, binarisation: 'none' });

/** Rows whose pixels are bytes, so that 8-bit files keep them exactly. */
function samples(count: number, firstIndex = 0): Samples {
  const data = Float32Array.from({ length: count * 6 }, (_, i) => ((i + 6 * firstIndex) % 256) / 255);
  const labels = Array.from({ length: count }, (_, i) => (i + firstIndex) % 2);
  return { data: { dtype: 'float32', shape: [count, 2, 3, 1], data }, seed: 1, firstIndex, labels };
}

describe('rows that are written', () => {
  it.each(['again.npz', 'again'])('are the same when read again from %s', async name => {
    const path = join(root, name);
    const writer = rowWriter(path, { domain: images, labels: classes });
    await writer.add(samples(4));
    await writer.add(samples(4, 4));
    await writer.finish();
    const { all } = await openDataset(path);
    const read = await all.read([0, 1, 2, 3, 4, 5, 6, 7]);
    const rows = (values: Float32Array, labels: ArrayLike<number>) =>
      Array.from({ length: 8 }, (_, i) => `${[...values.slice(6 * i, 6 * i + 6)]}:${labels[i]}`).sort();
    const written = samples(8);
    expect(rows(read.data, read.labels!)).toEqual(rows(Float32Array.from(written.data.data), written.labels!));
  });

  it('stay inside their folder whatever a class is called', async () => {
    const path = join(root, 'inside');
    const writer = rowWriter(path, { domain: images, labels: classes });
    await writer.add(samples(2));
    expect(await writer.finish()).toContain('2 images in 2 folders');
    expect(readdirSync(path).sort()).toEqual(['cat', 'dog_.._wolf']);
  });

  it('make a CSV of vectors', async () => {
    const domain: Domain = { vector: { names: ['a', 'b,c'], mean: [0, 0], deviation: [1, 1], labels: [] } };
    const path = join(root, 'vectors.csv');
    const writer = rowWriter(path, { domain, labels: [] });
    const data = Float32Array.of(1, 2, 3, 4, 5, 6);
    await writer.add({ data: { dtype: 'float32', shape: [3, 2], data }, seed: 0, firstIndex: 0 });
    await writer.finish();
    const read = await openDataset(path);
    expect(read.domain.vector?.names).toEqual(['a', 'b,c']);
    expect((await read.all.read([0, 1, 2])).data).toEqual(data);
  });

  it('are refused where the file cannot hold them, saying what can', () => {
    expect(() => rowWriter('x.txt', { domain: images, labels: [] })).toThrow('a folder, a .npz file or a .png sheet');
  });
});
