import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { writeNpy } from '@genserve/runtime';
import { zipSync } from 'fflate';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import type { Dataset, Split } from '../dataset.js';
import { datasets, openDataset } from '../open.js';

const root = mkdtempSync(join(tmpdir(), 'genserve-data-'));
afterAll(() => rmSync(root, { recursive: true }));

function write(path: string, content: Uint8Array | string): string {
  const full = join(root, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, content);
  return full;
}

const all = (split: Split) => split.read(Array.from({ length: split.count }, (_, i) => i));

/** Every row of every part, as text, with its label. */
async function everything({ train, calibration, test }: Dataset): Promise<string[]> {
  const rows: string[] = [];
  for (const part of [train, calibration, test]) {
    const { data, labels } = await all(part);
    const size = data.length / part.count;
    for (let i = 0; i < part.count; i++)
      rows.push(`${[...data.subarray(i * size, (i + 1) * size)].join()}:${labels?.[i] ?? 'none'}`);
  }
  return rows.sort();
}

function idx(shape: readonly number[], data: readonly number[]): Uint8Array {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header[2] = 8;
  header[3] = shape.length;
  for (const [axis, length] of shape.entries()) header.writeUInt32BE(length, 4 + 4 * axis);
  return Buffer.concat([header, Buffer.from(data)]);
}

const numbers = (length: number, start = 0) => Array.from({ length }, (_, i) => (i + start) % 256);

describe('IDX', () => {
  it('reads a folder with the names of MNIST, gzipped or not, with its own test part', async () => {
    write('idx/train-images-idx3-ubyte.gz', gzipSync(idx([20, 2, 3], numbers(120))));
    write(
      'idx/train-labels-idx1-ubyte.gz',
      gzipSync(
        idx(
          [20],
          numbers(20).map(i => i % 4),
        ),
      ),
    );
    write('idx/t10k-images-idx3-ubyte', idx([5, 2, 3], numbers(30)));
    write('idx/t10k-labels-idx1-ubyte', idx([5], [0, 1, 2, 3, 0]));
    const dataset = await openDataset(join(root, 'idx'));
    expect(dataset.domain.image).toMatchObject({ height: 2, width: 3, channels: 1, labels: ['0', '1', '2', '3'] });
    expect([dataset.train.count, dataset.calibration.count, dataset.test.count]).toEqual([18, 2, 5]);
    const { data, labels } = await dataset.test.read([1]);
    expect([...data]).toEqual([6, 7, 8, 9, 10, 11].map(k => Math.fround(k / 255)));
    expect([...labels!]).toEqual([1]);
  });

  it('reads one file of colour images without labels', async () => {
    const path = write('colour.idx', idx([10, 2, 2, 3], numbers(120)));
    const dataset = await openDataset(path);
    expect(dataset.domain.image).toMatchObject({ channels: 3, labels: [] });
    expect((await dataset.train.read([0])).labels).toBeUndefined();
    expect(dataset.summary).toBe('10 colour images of 2x2, unlabelled');
  });

  it('refuses a file that was cut short, and says how', async () => {
    const path = write('cut.idx', idx([10, 2, 2], numbers(39)));
    await expect(openDataset(path)).rejects.toThrow('says 10x2x2 = 40 bytes but holds 39');
  });
});

describe('image folders', () => {
  const png = (colour: string, width = 4, height = 4) =>
    sharp({ create: { width, height, channels: 3, background: colour } })
      .png()
      .toBuffer();

  it('takes each subfolder as a class', async () => {
    for (let i = 0; i < 6; i++) {
      write(`classes/red/${i}.png`, await png('#ff0000'));
      write(`classes/blue/${i}.png`, await png('#0000ff'));
    }
    const dataset = await openDataset(join(root, 'classes'));
    expect(dataset.domain.image).toMatchObject({ height: 4, width: 4, channels: 3, labels: ['blue', 'red'] });
    expect(dataset.summary).toBe('12 colour images of 4x4 in 2 classes');
    const rows = await everything(dataset);
    expect(rows).toHaveLength(12);
    expect(rows.filter(row => row.startsWith('1,0,0,1,0,0') && row.endsWith(':1'))).toHaveLength(6);
    expect(rows.filter(row => row.startsWith('0,0,1,0,0,1') && row.endsWith(':0'))).toHaveLength(6);
  });

  it('takes classes from labels.csv, leaving what it does not name without a label', async () => {
    for (let i = 0; i < 6; i++) write(`table/${i}.png`, await png(i % 2 ? 'white' : 'black'));
    write('table/labels.csv', 'file,label\n0.png,dark\n1.png,light\n2.png,dark\n3.png,light\n');
    const dataset = await openDataset(join(root, 'table'), { channels: 1 });
    expect(dataset.domain.image?.labels).toEqual(['dark', 'light']);
    expect(dataset.summary).toContain('2 without a label');
    const labels = (await everything(dataset)).map(row => `${row[0]}${row.slice(row.indexOf(':'))}`);
    expect(labels).toEqual(['0:-1', '0:0', '0:0', '1:-1', '1:1', '1:1']);
  });

  it('takes train, validation and test folders as such', async () => {
    for (const [part, count] of [
      ['train', 4],
      ['validation', 3],
      ['test', 2],
    ] as const)
      for (let i = 0; i < count; i++) write(`parts/${part}/${i % 2 ? 'odd' : 'even'}/${i}.png`, await png('gray'));
    const dataset = await openDataset(join(root, 'parts'));
    expect([dataset.train.count, dataset.calibration.count, dataset.test.count]).toEqual([4, 3, 2]);
    expect(dataset.domain.image?.labels).toEqual(['even', 'odd']);
    expect(Array.from({ length: 9 }, (_, i) => dataset.all.nameOf?.(i))).toEqual([
      ...['train/even/0.png', 'train/even/2.png', 'train/odd/1.png', 'train/odd/3.png'],
      ...['validation/even/0.png', 'validation/even/2.png', 'validation/odd/1.png'],
      ...['test/even/0.png', 'test/odd/1.png'],
    ]);
    expect([...(await dataset.all.read([8, 0, 6])).labels!]).toEqual([1, 0, 1]);
    expect(dataset.split).toBe('train 4, calibration 3, test 2');
  });

  it('resizes and crops to the middle, turning by EXIF, whatever the first size', async () => {
    // Left third black, middle white, right black: only the middle stays in a square.
    const stripes = await sharp({ create: { width: 30, height: 10, channels: 3, background: 'black' } })
      .composite([{ input: await png('white', 10, 10), left: 10, top: 0 }])
      .png()
      .toBuffer();
    for (let i = 0; i < 3; i++) write(`sizes/${i}.png`, stripes);
    write('sizes/turned.jpg', await sharp(stripes).rotate(90).withMetadata({ orientation: 8 }).jpeg().toBuffer());
    const dataset = await openDataset(join(root, 'sizes'), { size: 8, channels: 1 });
    expect(dataset.domain.image).toMatchObject({ height: 8, width: 8 });
    expect(dataset.summary).toContain('resized and cropped, the first from 10x30');
    for (const row of await everything(dataset)) {
      const values = row.slice(0, row.indexOf(':')).split(',').map(Number);
      expect(Math.min(...values.filter((_, i) => i % 8 > 0 && i % 8 < 7))).toBeGreaterThan(0.9);
    }
  });

  it('brings images to a height and width that differ', async () => {
    const dataset = await openDataset(join(root, 'sizes'), { size: [4, 6] });
    expect(dataset.domain.image).toMatchObject({ height: 4, width: 6 });
    expect((await dataset.all.read([0])).data).toHaveLength(4 * 6 * 3);
  });

  it('names the file that is no image', async () => {
    write('broken/a.png', await png('red'));
    write('broken/b.png', await png('red'));
    write('broken/c.png', 'not a picture');
    write('broken/d.png', await png('red'));
    const dataset = await openDataset(join(root, 'broken'));
    await expect(everything(dataset)).rejects.toThrow('c.png cannot be read as an image');
  });

  it('gives another hash when one byte of one image changes', async () => {
    const first = await openDataset(join(root, 'classes'));
    write('classes/red/0.png', await png('#fe0000'));
    expect((await openDataset(join(root, 'classes'))).sha256).not.toBe(first.sha256);
  });
});

describe('NumPy arrays', () => {
  it('reads bytes as images and keeps labels, -1 included', async () => {
    const rows = Uint8Array.from(numbers(10 * 4));
    const labels = Int32Array.from([0, 1, 2, -1, 0, 1, 2, -1, 0, 1]);
    const archive = zipSync({ 'data.npy': writeNpy([10, 2, 2], rows), 'labels.npy': writeNpy([10], labels) });
    const dataset = await openDataset(write('bytes.npz', archive));
    expect(dataset.domain.image).toMatchObject({
      height: 2,
      width: 2,
      channels: 1,
      levels: 256,
      labels: ['0', '1', '2'],
    });
    const expected = numbers(10).map(
      i =>
        `${numbers(4, 4 * i)
          .map(k => Math.fround(k / 255))
          .join()}:${labels[i]}`,
    );
    expect(await everything(dataset)).toEqual(expected.sort());
  });

  it('pairs rows with targets of another size, and does not move what cannot be moved alike', async () => {
    const rows = Uint8Array.from({ length: 10 * 4 }, (_, i) => Math.floor(i / 4));
    const targets = Uint8Array.from({ length: 10 * 16 }, (_, i) => 100 + Math.floor(i / 16));
    const archive = zipSync({ 'data.npy': writeNpy([10, 2, 2], rows), 'targets.npy': writeNpy([10, 4, 4], targets) });
    const path = write('pairs.npz', archive);
    const { train, target, summary } = await openDataset(path);
    expect(target?.image).toMatchObject({ height: 4, width: 4 });
    expect(summary).toContain('10 pairs of images');
    const read = await train.read([0, 1]);
    for (const row of [0, 1])
      expect(Math.round(255 * read.target![16 * row]!)).toBe(100 + Math.round(255 * read.data[4 * row]!));
    await expect(openDataset(path, { flip: true })).rejects.toMatchObject({ field: 'data.flip' });
    const short = zipSync({
      'data.npy': writeNpy([10, 2, 2], rows),
      'targets.npy': writeNpy([5, 4, 4], targets.slice(80)),
    });
    await expect(openDataset(write('short.npz', short))).rejects.toThrow(/5 targets; rows are 10/);
  });

  it('reads the vectors that images are to be conditioned on, row by row', async () => {
    const images = writeNpy([10, 2, 2], Uint8Array.from(numbers(40)));
    const vectors = writeNpy([10, 2], Float32Array.from(numbers(20)));
    const { train } = await openDataset(
      write('conditioned.npz', zipSync({ 'data.npy': images, 'vectors.npy': vectors })),
    );
    const { data, vectors: found } = await train.read([3, 0]);
    // A row's first pixel is 4 times its number, its vector 2 times and one more.
    for (const row of [0, 1]) {
      const number = Math.round((255 * data[4 * row]!) / 4);
      expect(Array.from(found!.subarray(2 * row, 2 * row + 2))).toEqual([2 * number, 2 * number + 1]);
    }
    const short = write(
      'short.npz',
      zipSync({ 'data.npy': images, 'vectors.npy': writeNpy([9, 2], new Float32Array(18)) }),
    );
    await expect(openDataset(short)).rejects.toThrow('vectors have shape [9,2]; [10, n] is needed');
  });

  it('reads rows of features as vectors and keeps their standardisation in the domain', async () => {
    const rows = Float64Array.from([1, 10, 3, 10, 5, 10, 7, 10, 9, 10]);
    const { domain, train } = await openDataset(write('vectors.npy', writeNpy([5, 2], rows)));
    expect(domain.vector?.mean).toEqual([5, 10]);
    expect(domain.vector?.deviation[0]).toBeCloseTo(Math.sqrt(8), 12);
    expect(domain.vector?.deviation[1]).toBe(1);
    expect((await train.read([0])).data).toHaveLength(2);
  });

  it.each([
    [
      'floats outside [0, 1]',
      writeNpy([4, 2, 2], new Float32Array(16).fill(2)),
      'holds 2; images of floats lie in [0, 1]',
    ],
    ['channels first', writeNpy([4, 3, 2, 2], new Float32Array(48)), 'channels last'],
    ['a number that is not finite', writeNpy([4, 1], Float32Array.of(1, 2, Number.NaN, 4)), 'not finite'],
    ['half a file', writeNpy([4, 1], new Float32Array(4)).slice(0, -3), 'must hold 16 bytes'],
  ])('refuses %s', async (name, bytes, message) => {
    await expect(openDataset(write(`${name}.npy`, bytes))).rejects.toThrow(message);
  });
});

describe('CSV', () => {
  it('reads numbers, quotes and a class column', async () => {
    const lines = numbers(10).map(i => `${i},"${i % 2 ? 'odd, quoted' : 'even'}",${-i / 4}`);
    const dataset = await openDataset(write('table.csv', ['a,class,b', ...lines, ''].join('\r\n')));
    expect(dataset.domain.vector).toMatchObject({ names: ['a', 'b'], labels: ['even', 'odd, quoted'] });
    const expected = numbers(10).map(i => `${i},${-i / 4 || 0}:${i % 2}`);
    expect(await everything(dataset)).toEqual(expected.sort());
  });

  it.each([
    ['a word among the numbers', 'a,b\n1,2\n3,x\n', 'row 3, column "b" is "x"'],
    ['an empty cell', 'a,b\n1,2\n,4\n', 'row 3, column "a" is ""'],
    ['a row that is too long', 'a,b\n1,2\n3,4,5\n', 'row 3 has 3 cells, the header has 2'],
    ['a quote that is not closed', 'a,b\n1,"2\n', 'ends inside a quoted cell'],
    ['a header alone', 'a,b\n', 'no rows'],
  ])('refuses %s and says where', async (name, text, message) => {
    await expect(openDataset(write(`${name}.csv`, text))).rejects.toThrow(message);
  });

  it('refuses a label column that is not there', async () => {
    const path = write('plain.csv', 'a,b\n1,2\n3,4\n5,6\n');
    await expect(openDataset(path, { label: 'kind' })).rejects.toThrow('its columns are a, b');
  });
});

describe('CIFAR binaries', () => {
  it('interleaves the planes and keeps the class', async () => {
    const record = (label: number, value: number) =>
      Buffer.concat([Buffer.from([label]), ...[value, value + 1, value + 2].map(v => Buffer.alloc(1024, v))]);
    write('cifar/data_batch_1.bin', Buffer.concat(numbers(5).map(i => record(i, 10 * i))));
    write('cifar/data_batch_2.bin', Buffer.concat(numbers(5).map(i => record(9 - i, 100 + 10 * i))));
    write('cifar/test_batch.bin', record(7, 200));
    const dataset = await openDataset(join(root, 'cifar'));
    expect([dataset.train.count + dataset.calibration.count, dataset.test.count]).toEqual([10, 1]);
    const { data, labels } = await dataset.test.read([0]);
    expect([...data.slice(0, 6)]).toEqual([200, 201, 202, 200, 201, 202].map(k => Math.fround(k / 255)));
    expect([...labels!]).toEqual([7]);
    write('cifar/data_batch_3.bin', record(1, 1).subarray(0, 3000));
    await expect(openDataset(join(root, 'cifar'))).rejects.toThrow('cut short');
  });
});

describe('toy densities', () => {
  it('puts 25 Gaussians on a grid, equally often', async () => {
    const { train, domain, frequencies } = await openDataset('25-gaussians', { rows: 5000 });
    expect(domain.vector?.names).toEqual(['x', 'y']);
    expect(Math.max(...frequencies)).toBeLessThan(0.055);
    const { data, labels } = await all(train);
    for (let i = 0; i < train.count; i++) {
      expect(Math.abs(data[2 * i]! - 2 * ((labels![i]! % 5) - 2))).toBeLessThan(0.3);
      expect(Math.abs(data[2 * i + 1]! - 2 * (Math.floor(labels![i]! / 5) - 2))).toBeLessThan(0.3);
    }
  });

  it('draws 8 Gaussians at radius 2 with deviation 0.2', async () => {
    const { train } = await openDataset('8-gaussians', { rows: 5000 });
    const { data, labels } = await all(train);
    let squares = 0;
    for (let i = 0; i < train.count; i++) {
      const angle = (Math.PI / 4) * labels![i]!;
      squares += (data[2 * i]! - 2 * Math.cos(angle)) ** 2 + (data[2 * i + 1]! - 2 * Math.sin(angle)) ** 2;
    }
    // 8,000 squared normals: the estimate of the deviation has a standard error of 0.8 %.
    expect(Math.sqrt(squares / (2 * train.count))).toBeCloseTo(0.2, 2);
  });

  it('repeats for a seed and differs for another', async () => {
    const rows = async (seed: number) =>
      (await (await openDataset('two-moons', { seed, rows: 100 })).train.read([0])).data;
    expect(await rows(1)).toEqual(await rows(1));
    expect(await rows(1)).not.toEqual(await rows(2));
    expect((await openDataset('swiss-roll', { rows: 100 })).domain.vector?.labels).toEqual([]);
  });
});

describe('modules of the user', () => {
  const body = (licence: string) => `
    const part = count => ({ count, read: async indices => ({ data: Float32Array.from(indices) }) });
    export const open = options => ({
      name: 'mine', domain: { vector: { names: ['x'], mean: [0], deviation: [1], labels: [] } },
      train: part(10 + options.seed), calibration: part(2), test: part(2), sha256: '0'.repeat(64),
      licence: ${licence}, attribution: '', frequencies: [], summary: 'numbers', split: 'made up',
    });`;
  it('are asked for a Dataset with the options', async () => {
    const dataset = await openDataset(write('mine.mjs', body("'mine'")), { seed: 5 });
    expect(dataset.train.count).toBe(15);
    expect([...(await dataset.all.read([18, 3])).data]).toEqual([1, 3]);
  });
  it('hear what is wrong with the Dataset that they return', async () => {
    await expect(openDataset(write('wrong.mjs', body('3')))).rejects.toThrow('licence');
    await expect(openDataset(write('empty.mjs', ''))).rejects.toThrow('must export a function open(options)');
    await expect(openDataset(write('throws.mjs', 'throw new Error("no such disk")'))).rejects.toThrow(
      'cannot be loaded: no such disk',
    );
  });
});

describe('what is not there', () => {
  it('is refused with what would be taken', async () => {
    await expect(openDataset(write('notes.pdf', '%PDF'))).rejects.toMatchObject({ reason: 'UNSUPPORTED_MEDIA_TYPE' });
    await expect(openDataset(join(root, 'nowhere'))).rejects.toMatchObject({ reason: 'INVALID_ARGUMENT' });
  });
  it('names the package that would bring a set which is not installed', async () => {
    const { named } = await datasets();
    expect(named.map(({ name }) => name)).toContain('fashion-mnist');
    for (const { name, available, install } of named) {
      if (available) continue;
      await expect(openDataset(name)).rejects.toMatchObject({ reason: 'ASSET_UNREACHABLE' });
      await expect(openDataset(name)).rejects.toThrow(install);
    }
  });
  it('needs at least three rows', async () => {
    await expect(openDataset(write('two.csv', 'a\n1\n2\n'))).rejects.toThrow('at least 3');
  });
});
