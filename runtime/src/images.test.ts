import { describe, expect, it } from 'vitest';
import { fitImage, type Pixels, toBytes, toGrid, toRgba } from './images.js';
import type { ImageDomain } from './manifest.js';
import { float32 } from './tensor.js';

const domain = (height: number, width: number, channels = 1, polarity = 'light-on-dark'): ImageDomain => ({
  height,
  width,
  channels,
  levels: 256,
  binarisation: 'none',
  polarity,
  labels: [],
});
const pixels = (width: number, height: number, channels: Pixels['channels'], data: number[]): Pixels => ({
  width,
  height,
  channels,
  data: Uint8Array.from(data),
});
const rounded = (values: Float32Array) => Array.from(values, value => Math.round(value * 1000) / 1000);

describe('fitImage', () => {
  it('takes pictures of the right size as they are, 8 or 16 bits a value', () => {
    expect(rounded(fitImage(pixels(2, 1, 1, [0, 255]), domain(1, 2)))).toEqual([0, 1]);
    const deep: Pixels = { width: 2, height: 1, channels: 1, data: Uint16Array.of(65535, 13107) };
    expect(rounded(fitImage(deep, domain(1, 2)))).toEqual([1, 0.2]);
  });

  it('makes colour grey by the luminance of Rec. 601, and grey colour by repeating it', () => {
    const colours = pixels(3, 1, 3, [255, 0, 0, 0, 255, 0, 0, 0, 255]);
    expect(rounded(fitImage(colours, domain(1, 3)))).toEqual([0.299, 0.587, 0.114]);
    expect(rounded(fitImage(pixels(1, 1, 1, [51]), domain(1, 1, 3)))).toEqual([0.2, 0.2, 0.2]);
    expect(rounded(fitImage(pixels(1, 1, 3, [255, 51, 0]), domain(1, 1, 3)))).toEqual([1, 0.2, 0]);
  });

  it('lays transparency on the background that the model was trained on', () => {
    const half = pixels(1, 1, 4, [255, 255, 255, 51]);
    expect(rounded(fitImage(half, domain(1, 1)))).toEqual([0.2]);
    expect(rounded(fitImage(half, domain(1, 1, 1, 'dark-on-light')))).toEqual([1]);
    expect(rounded(fitImage(pixels(1, 1, 2, [0, 0]), domain(1, 1, 3, 'dark-on-light')))).toEqual([1, 1, 1]);
  });

  it('swaps black and white before anything else', () => {
    expect(rounded(fitImage(pixels(2, 1, 1, [0, 51]), domain(1, 2), { invert: true }))).toEqual([1, 0.8]);
    // A transparent pixel stays background: there is no ink to swap.
    expect(rounded(fitImage(pixels(1, 1, 2, [0, 0]), domain(1, 1), { invert: true }))).toEqual([0]);
  });

  it('halves by averaging and keeps a uniform picture uniform', () => {
    const flat = pixels(8, 8, 1, Array(64).fill(102));
    for (const size of [3, 4, 8, 13])
      expect(new Set(rounded(fitImage(flat, domain(size, size), { fit: 'cover' })))).toEqual(new Set([0.4]));
    const mean = fitImage(pixels(2, 2, 1, [0, 255, 255, 0]), domain(1, 1), { fit: 'contain' });
    expect(rounded(mean)).toEqual([0.5]);
  });

  it('agrees with the triangle filter written out for one row', () => {
    // 4 -> 2: radius 2 around source position 1 and 3, weights max(0, 1 - |i + 0.5 - centre| / 2), normalised.
    const source = [0, 51, 204, 255];
    const result = rounded(fitImage(pixels(4, 1, 1, source), domain(1, 2), { fit: 'cover' }));
    // Scale is 1 (the height must be filled): cover cuts one pixel on either side.
    expect(result).toEqual([0.2, 0.8]);
    const shrunk = rounded(fitImage(pixels(4, 2, 1, [...source, ...source]), domain(1, 2), { fit: 'cover' }));
    const at = (centre: number) => {
      const weights = source.map((_, i) => Math.max(0, 1 - Math.abs(i + 0.5 - centre) / 2));
      const sum = weights.reduce((a, b) => a + b);
      return Math.round((source.reduce((total, value, i) => total + value * weights[i]!, 0) / sum / 255) * 1000) / 1000;
    };
    expect(shrunk).toEqual([at(1), at(3)]);
  });

  it('contains: the whole picture in the middle, background around it', () => {
    const wide = pixels(4, 2, 1, Array(8).fill(255));
    expect(rounded(fitImage(wide, domain(4, 4), { fit: 'contain' }))).toEqual([
      ...[0, 0, 0, 0],
      ...Array(8).fill(1),
      ...[0, 0, 0, 0],
    ]);
    const paper = fitImage(pixels(2, 4, 1, Array(8).fill(0)), domain(4, 4, 1, 'dark-on-light'), { fit: 'contain' });
    expect(rounded(paper).slice(0, 4)).toEqual([1, 0, 0, 1]);
  });

  it('covers: the middle of the picture, nothing else', () => {
    const tall = pixels(1, 3, 1, [0, 255, 0]);
    expect(rounded(fitImage(tall, domain(1, 1), { fit: 'cover' }))).toEqual([1]);
  });

  it.each([
    ['another size', () => fitImage(pixels(2, 2, 1, [0, 0, 0, 0]), domain(1, 2)), 'image', /2 x 2 .* takes 2 x 1/],
    ['too few values', () => fitImage(pixels(2, 1, 3, [0]), domain(1, 2)), 'image', /holds 1 values for 2 x 1 x 3/],
    ['no pixels', () => fitImage(pixels(0, 0, 1, []), domain(1, 2)), 'image', /0 x 0/],
    [
      'an unknown fit',
      // @ts-expect-error: what a caller without types may write
      () => fitImage(pixels(1, 1, 1, [0]), domain(1, 1), { fit: 'fill' }),
      'fit',
      /error, contain or cover/,
    ],
  ])('refuses %s', (_what, call, field, message) => {
    expect(call).toThrow(message);
    expect(call).toThrow(expect.objectContaining({ reason: 'INVALID_ARGUMENT', field }));
  });
});

describe('toGrid', () => {
  it('lays rows out from left to right and top to bottom, with gaps', () => {
    const rows = float32([3, 1, 2, 1], [0, 1, 0.2, 0.4, 0.6, 0.8]);
    const sheet = toGrid(rows, { columns: 2, gap: 1, gapValue: 1 });
    expect(sheet).toMatchObject({ width: 5, height: 3, channels: 1 });
    expect(Array.from(sheet.data)).toEqual([
      ...[0, 255, 255, 51, 102],
      ...[255, 255, 255, 255, 255],
      ...[153, 204, 255, 255, 255],
    ]);
  });

  it('is as square as can be by default, and keeps colours together', () => {
    const rows = float32([4, 1, 1, 3], [1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1]);
    const sheet = toGrid(rows);
    expect(sheet).toMatchObject({ width: 2, height: 2, channels: 3 });
    expect(Array.from(sheet.data.slice(0, 6))).toEqual([255, 0, 0, 0, 255, 0]);
  });

  it('refuses what are not pictures', () => {
    expect(() => toGrid(float32([2, 3], Array(6).fill(0)))).toThrow(/must be pictures/);
  });
});

it('rounds to the nearest byte and clips', () => {
  expect(Array.from(toBytes(float32([4], [-0.1, 0.5, 1.2, 0.001])))).toEqual([0, 128, 255, 0]);
});

it('gives RGBA for a canvas', () => {
  expect(Array.from(toRgba(pixels(2, 1, 1, [7, 9])))).toEqual([7, 7, 7, 255, 9, 9, 9, 255]);
  expect(Array.from(toRgba(pixels(1, 1, 2, [7, 100])))).toEqual([7, 7, 7, 100]);
  expect(Array.from(toRgba(pixels(1, 1, 3, [1, 2, 3])))).toEqual([1, 2, 3, 255]);
  expect(Array.from(toRgba(pixels(1, 1, 4, [1, 2, 3, 4])))).toEqual([1, 2, 3, 4]);
  expect(Array.from(toRgba({ width: 1, height: 1, channels: 1, data: Uint16Array.of(65535) }))[0]).toBe(255);
});
