import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, it } from 'vitest';
import { imageFileStore } from './image-files.js';

/** Reduced; 200,000 images: `npm run test:slow image-folder`. */
const images = 2000;
const size = { height: 64, width: 64, channels: 3 };
const rowBytes = size.height * size.width * size.channels;

it('reads a folder again and again within the memory of its cache and a batch', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'genserve-many-'));
  const paths = Array.from({ length: images }, (_, i) => `${i}.png`);
  for (const [i, path] of paths.entries()) {
    const background = { r: i % 256, g: i >> 8, b: 7 };
    const png = sharp({ create: { ...size, width: 8, height: 8, channels: 3, background } });
    await writeFile(join(folder, path), await png.png().toBuffer());
  }
  const cached = 200;
  const store = imageFileStore(folder, paths, size, undefined, cached * rowBytes);
  const before = process.memoryUsage().rss;
  for (let pass = 0; pass < 2; pass++)
    for (let first = 0; first < images; first += 100) {
      const { data } = await store.read(Array.from({ length: 100 }, (_, i) => first + i));
      for (let row = 0; row < 100; row++) {
        const pixel = [...data.subarray(row * rowBytes, row * rowBytes + 3)].map(value => Math.round(255 * value));
        expect(pixel).toEqual([(first + row) % 256, (first + row) >> 8, 7]);
      }
    }
  // All images would take 98 MB as bytes for each pass, and four times that as floats.
  expect(process.memoryUsage().rss - before).toBeLessThan(90 * 2 ** 20);
  await rm(folder, { recursive: true });
});
