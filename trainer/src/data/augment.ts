// Augmentation of images while training: mirrored, shifted and re-lit copies, each a function of (seed, step, row).
import { type Domain, NoiseStream } from '@genserve/runtime';
import type { Rows } from './dataset.js';
import type { DataOptions } from './options.js';

export type Augmentation = Pick<DataOptions, 'flip' | 'crop' | 'jitter'>;

/** Noise name of the draws. */
const noiseName = 'augmentation';
/** Of a row: flip, shift down, shift right, contrast, brightness. */
const DRAWS = 5;

interface Frame {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/**
 * Rows of images before binarisation. A paired target is mirrored and shifted with its image; its colours stay. Anything but
 * images comes back as it is.
 */
export function augment(
  rows: Rows,
  { image }: Domain,
  { flip, crop, jitter }: Augmentation,
  key: { readonly seed: number; readonly step: number },
): Rows {
  if (!image || (!flip && crop === 0 && jitter === 0)) return rows;
  const rowSize = image.height * image.width * image.channels;
  const count = rows.data.length / rowSize;
  const data = new Float32Array(rows.data.length);
  const target = rows.target && new Float32Array(rows.target.length);
  const stream = new NoiseStream(key.seed, noiseName, 'uniform');
  const draws = new Float32Array(DRAWS);
  for (let row = 0; row < count; row++) {
    stream.fill(draws, row, key.step);
    const shift = (draw: number) => Math.floor(draw * (2 * crop + 1)) - crop;
    const move = { mirrored: flip && draws[0]! < 0.5, down: shift(draws[1]!), right: shift(draws[2]!) };
    moved(rows.data, row, image, move, data);
    if (target)
      moved(
        rows.target!,
        row,
        { ...image, channels: target.length / count / (rowSize / image.channels) },
        move,
        target,
      );
    if (jitter > 0) relight(data.subarray(row * rowSize, (row + 1) * rowSize), jitter, draws[3]!, draws[4]!);
  }
  return { ...rows, data, ...(target && { target }) };
}

/** What lies past an edge repeats the edge. */
function moved(
  from: Float32Array,
  row: number,
  { height, width, channels }: Frame,
  { mirrored, down, right }: { readonly mirrored: boolean; readonly down: number; readonly right: number },
  to: Float32Array,
): void {
  const within = (place: number, extent: number) => Math.min(extent - 1, Math.max(0, place));
  const start = row * height * width * channels;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const sourceX = within(x - right, width);
      const source = within(y - down, height) * width + (mirrored ? width - 1 - sourceX : sourceX);
      for (let channel = 0; channel < channels; channel++)
        to[start + (y * width + x) * channels + channel] = from[start + source * channels + channel]!;
    }
}

/** Contrast by a factor of 1 +- jitter and brightness by +- jitter, on the 256 levels that there were. */
function relight(pixels: Float32Array, jitter: number, contrast: number, brightness: number): void {
  const factor = 1 + jitter * (2 * contrast - 1);
  const offset = jitter * (2 * brightness - 1);
  const mean = pixels.reduce((sum, value) => sum + value, 0) / pixels.length;
  for (const [i, value] of pixels.entries()) {
    const lit = (value - mean) * factor + mean + offset;
    pixels[i] = Math.round(255 * Math.min(1, Math.max(0, lit))) / 255;
  }
}
