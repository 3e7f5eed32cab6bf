// Decoded pictures to rows of an image domain, and rows back to pixels. Coding (PNG, JPEG) is done elsewhere.
import type { ImageDomain } from '@genserve/proto/manifest';
import { invalid } from './errors.js';
import { sizeOf, type Tensor } from './tensor.js';

/** Decoded pixels, row by row: grey, grey + alpha, RGB or RGBA; 8 bits a value, or 16 in a Uint16Array. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 2 | 3 | 4;
  /** [height, width, channels] */
  readonly data: Uint8Array | Uint8ClampedArray | Uint16Array;
}

export interface FitOptions {
  /**
   * What happens to a picture of another size: `error` (default) refuses it; `contain` scales it to fit inside and fills
   * the rest with the background; `cover` scales it to fill and cuts what sticks out, evenly on both sides.
   */
  readonly fit?: 'error' | 'contain' | 'cover' | undefined;
  /** Swap black and white before anything else. */
  readonly invert?: boolean | undefined;
}

/** Luminance of Rec. ITU-R BT.601, as PNG readers and PIL's "L" use. */
const RED = 0.299;
const GREEN = 0.587;
const BLUE = 0.114;

/** What lies behind transparent and missing pixels: white where the model was trained on dark strokes, else black. */
function backgroundOf(domain: ImageDomain): number {
  return domain.polarity === 'dark-on-light' ? 1 : 0;
}

/**
 * One row of the domain, float32 [height, width, channels] in [0, 1]: inverted if asked, transparency laid on the
 * domain's background, colour made grey by luminance (grey made colour by repeating it), then scaled by area (a
 * triangle filter as wide as the reduction). Values are not quantised; scoring does that. Throws INVALID_ARGUMENT.
 */
export function fitImage(
  pixels: Pixels,
  domain: ImageDomain,
  options: FitOptions = {},
  field = 'image',
): Float32Array<ArrayBuffer> {
  const { width, height, channels, data } = pixels;
  const { fit = 'error', invert = false } = options;
  if (!['error', 'contain', 'cover'].includes(fit)) throw invalid('fit', `must be error, contain or cover, was ${fit}`);
  if (!(width > 0 && height > 0 && data.length === width * height * channels))
    throw invalid(field, `holds ${data.length} values for ${width} x ${height} x ${channels}`);
  const size = `${domain.width} x ${domain.height}`;
  const same = width === domain.width && height === domain.height;
  if (!same && fit === 'error')
    throw invalid(field, `is ${width} x ${height} pixels where the model takes ${size}: resize it, or set fit`);
  const planes = toDomainChannels(pixels, domain, invert);
  return same ? planes : resize(planes, width, height, domain, fit === 'cover');
}

/** [height, width, domain.channels] in [0, 1], still at the picture's size. */
function toDomainChannels(pixels: Pixels, domain: ImageDomain, invert: boolean): Float32Array<ArrayBuffer> {
  const { width, height, channels, data } = pixels;
  const greatest = data instanceof Uint16Array ? 65535 : 255;
  const background = backgroundOf(domain);
  const colours = channels > 2 ? 3 : 1;
  const result = new Float32Array(width * height * domain.channels);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const start = pixel * channels;
    const alpha = channels > colours ? data[start + colours]! / greatest : 1;
    const at = (colour: number) => {
      const value = data[start + (colours === 1 ? 0 : colour)]! / greatest;
      return alpha * (invert ? 1 - value : value) + (1 - alpha) * background;
    };
    if (domain.channels === 3) result.set([at(0), at(1), at(2)], pixel * 3);
    else result[pixel] = colours === 1 ? at(0) : RED * at(0) + GREEN * at(1) + BLUE * at(2);
  }
  return result;
}

function resize(
  source: Float32Array,
  width: number,
  height: number,
  domain: ImageDomain,
  cover: boolean,
): Float32Array<ArrayBuffer> {
  const ratios = [domain.width / width, domain.height / height];
  const scale = cover ? Math.max(...ratios) : Math.min(...ratios);
  const background = backgroundOf(domain);
  // Separable: each pass resamples along the second axis and transposes, so that two passes end as they began.
  const columns = resample(source, height, domain.channels, tapsOf(width, domain.width, scale), background);
  return resample(columns, domain.width, domain.channels, tapsOf(height, domain.height, scale), background);
}

/** [lines, length, channels] -> [taps.length, lines, channels]. What a target lacks in weight is background. */
function resample(
  source: Float32Array,
  lines: number,
  channels: number,
  taps: readonly Taps[],
  background: number,
): Float32Array<ArrayBuffer> {
  const length = source.length / lines / channels;
  const result = new Float32Array(taps.length * lines * channels);
  taps.forEach(({ first, weights }, target) => {
    for (let line = 0; line < lines; line++)
      for (let channel = 0; channel < channels; channel++) {
        let sum = weights.length > 0 ? 0 : background;
        weights.forEach((weight, i) => {
          sum += weight * source[(line * length + first + i) * channels + channel]!;
        });
        result[(target * lines + line) * channels + channel] = sum;
      }
  });
  return result;
}

interface Taps {
  readonly first: number;
  readonly weights: readonly number[];
}

/** For each target pixel, the source pixels under it; the scaled source lies centred on the target. */
function tapsOf(sourceLength: number, targetLength: number, scale: number): Taps[] {
  const radius = Math.max(1, 1 / scale);
  const margin = (targetLength - sourceLength * scale) / 2;
  return Array.from({ length: targetLength }, (_, place) => {
    const centre = (place + 0.5 - margin) / scale;
    // Pixels of the target whose centre lies outside the scaled source are background alone.
    if (centre < 0 || centre > sourceLength) return { first: 0, weights: [] };
    const first = Math.max(0, Math.ceil(centre - radius - 0.5));
    const last = Math.min(sourceLength - 1, Math.floor(centre + radius - 0.5));
    const weights: number[] = [];
    for (let i = first; i <= last; i++) weights.push(Math.max(0, 1 - Math.abs(i + 0.5 - centre) / radius));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { first, weights: weights.map(weight => weight / sum) };
  });
}

/** Rows [count, height, width, channels] in [0, 1] as one sheet, row by row, `gap` pixels of `gapValue` between. */
export function toGrid(
  rows: Tensor,
  options: { readonly columns?: number; readonly gap?: number; readonly gapValue?: number } = {},
): Pixels & { readonly data: Uint8Array<ArrayBuffer> } {
  const [count = 0, height = 0, width = 0, channels = 0] = rows.shape;
  if (rows.shape.length !== 4 || (channels !== 1 && channels !== 3 && channels !== 4) || count < 1)
    throw invalid('data', `must be pictures [count, height, width, 1, 3 or 4], was [${rows.shape}]`);
  const { columns = Math.ceil(Math.sqrt(count)), gap = 0, gapValue = 0 } = options;
  const lines = Math.ceil(count / columns);
  const sheetWidth = columns * (width + gap) - gap;
  const sheetHeight = lines * (height + gap) - gap;
  const data = new Uint8Array(sheetWidth * sheetHeight * channels).fill(toByte(gapValue));
  const line = width * channels;
  for (let item = 0; item < count; item++) {
    const left = (item % columns) * (width + gap);
    const top = Math.floor(item / columns) * (height + gap);
    for (let y = 0; y < height; y++) {
      const from = (item * height + y) * line;
      const to = ((top + y) * sheetWidth + left) * channels;
      for (let i = 0; i < line; i++) data[to + i] = toByte(rows.data[from + i]!);
    }
  }
  return { width: sheetWidth, height: sheetHeight, channels, data };
}

/** Opaque RGBA bytes, e.g. for a canvas' ImageData. */
export function toRgba({ width, height, channels, data }: Pixels): Uint8ClampedArray<ArrayBuffer> {
  const divisor = data instanceof Uint16Array ? 257 : 1;
  const result = new Uint8ClampedArray(width * height * 4);
  const alpha = channels % 2 === 0 ? channels - 1 : -1;
  for (let pixel = 0; pixel < width * height; pixel++)
    for (let channel = 0; channel < 4; channel++) {
      const source = channel === 3 ? alpha : channels > 2 ? channel : 0;
      result[pixel * 4 + channel] = source < 0 ? 255 : data[pixel * channels + source]! / divisor;
    }
  return result;
}

/** Values in [0, 1] as bytes, rounded to the nearest of 256 levels. */
export function toBytes(rows: Tensor): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeOf(rows.shape));
  for (let i = 0; i < bytes.length; i++) bytes[i] = toByte(rows.data[i]!);
  return bytes;
}

function toByte(value: number): number {
  return Math.min(255, Math.max(0, Math.round(value * 255)));
}
