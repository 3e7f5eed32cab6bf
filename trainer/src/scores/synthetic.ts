// Anomalies that are made, not found: what the recommended score is chosen on, so that no real anomaly takes part.
import { domainShape, GenserveError, type ImageDomain, NoiseStream } from '@genserve/runtime';
import sharp from 'sharp';
import type { Split } from '../data/dataset.js';
import { openDataset } from '../data/open.js';
import { spread } from './rows.js';

export interface SyntheticAnomalies {
  readonly kind: string;
  /** Grey or colour values in [0, 1], [rows, ...domain]. */
  readonly rows: Float32Array<ArrayBuffer>;
  readonly count: number;
}

/** Standard deviations of the noise that is added. */
const NOISE_STRENGTHS = [0.1, 0.3, 1];
const SEED = 0;
const EMOJI = 'emoji-google';

/**
 * Of `count` normal pictures: turned, mended with a patch of another, noisy; and as many emoji. Where those are not installed,
 * they are left out and `onWarning` is told.
 */
export async function syntheticAnomalies(
  normal: Split,
  image: ImageDomain,
  count: number,
  onWarning?: (message: string) => void,
): Promise<SyntheticAnomalies[]> {
  const rows = Math.min(count, normal.count);
  const { data } = await spread(normal, rows).read(Array.from({ length: rows }, (_, row) => row));
  const size = data.length / rows;
  const each = (change: (picture: Float32Array, row: number) => Float32Array) => {
    const changed = new Float32Array(data.length);
    for (let row = 0; row < rows; row++)
      changed.set(change(data.subarray(row * size, (row + 1) * size), row), row * size);
    return changed;
  };
  const other = (row: number) => {
    const from = (row + Math.floor(rows / 2)) % rows;
    return data.subarray(from * size, (from + 1) * size);
  };
  const emoji = await emojiRows(image, rows);
  if (!emoji)
    onWarning?.(`no emoji among the synthetic anomalies: ${EMOJI} is not installed; genserve datasets says how`);
  return [
    { kind: 'rotation', rows: each((picture, row) => rotated(picture, image, 1 + (row % 3))), count: rows },
    { kind: 'patch', rows: each((picture, row) => patched(picture, other(row), image, row)), count: rows },
    ...NOISE_STRENGTHS.map(strength => ({
      kind: `noise-${strength}`,
      rows: each((picture, row) => noisy(picture, strength, row)),
      count: rows,
    })),
    ...(emoji ? [{ kind: 'emoji', rows: emoji, count: emoji.length / size }] : []),
  ];
}

/** Pictures that need no data: what `evaluate --anomaly` takes by name. */
export const madeAnomalies: Readonly<
  Record<string, (image: ImageDomain, count: number) => Promise<SyntheticAnomalies | undefined>>
> = {
  /** Of one grey value each, from black to white. */
  async constant({ height, width, channels }, count) {
    const size = height * width * channels;
    const rows = Float32Array.from({ length: count * size }, (_, i) => Math.floor(i / size) / Math.max(1, count - 1));
    return { kind: 'constant', rows, count };
  },
  /** Each value by itself, uniform. */
  async noise({ height, width, channels }, count) {
    const rows = new Float32Array(count * height * width * channels);
    new NoiseStream(SEED, 'synthetic/uniform', 'uniform').fill(rows, 0);
    return { kind: 'noise', rows, count };
  },
  async emoji(image, count) {
    const rows = await emojiRows(image, count);
    return rows && { kind: 'emoji', rows, count: rows.length / (image.height * image.width * image.channels) };
  },
};

/** Turned by quarters; pictures that are not square are turned by half alone. */
function rotated(picture: Float32Array, { height, width, channels }: ImageDomain, quarters: number): Float32Array {
  const turns = height === width ? quarters : 2;
  return picture.map((_, i) => {
    const channel = i % channels;
    const x = Math.floor(i / channels) % width;
    const y = Math.floor(i / channels / width);
    const [fromY, fromX] =
      turns === 1 ? [x, width - 1 - y] : turns === 2 ? [height - 1 - y, width - 1 - x] : [height - 1 - x, y];
    return picture[(fromY * width + fromX) * channels + channel]!;
  });
}

/** A rectangle of half the height and width, somewhere, is the other picture's. */
function patched(
  picture: Float32Array,
  other: Float32Array,
  { height, width, channels }: ImageDomain,
  row: number,
): Float32Array {
  const place = new Float32Array(2);
  new NoiseStream(SEED, 'synthetic/patch', 'uniform').fill(place, row);
  const top = Math.floor(place[0]! * (height - height / 2 + 1));
  const left = Math.floor(place[1]! * (width - width / 2 + 1));
  return picture.map((value, i) => {
    const x = Math.floor(i / channels) % width;
    const y = Math.floor(i / channels / width);
    const inside = y >= top && y < top + height / 2 && x >= left && x < left + width / 2;
    return inside ? other[i]! : value;
  });
}

function noisy(picture: Float32Array, strength: number, row: number): Float32Array {
  const noise = new Float32Array(picture.length);
  new NoiseStream(SEED, `synthetic/noise-${strength}`, 'normal').fill(noise, row);
  return picture.map((value, i) => Math.min(1, Math.max(0, value + strength * noise[i]!)));
}

/** Emoji in the model's size, colours and polarity; undefined where they are not installed. */
async function emojiRows(image: ImageDomain, count: number): Promise<Float32Array<ArrayBuffer> | undefined> {
  const { height, width, channels, polarity } = image;
  const side = 32;
  const dataset = await openDataset(EMOJI, { size: side, channels: channels === 3 ? 3 : 1 }).catch(error => {
    if (error instanceof GenserveError && error.reason === 'ASSET_UNREACHABLE') return undefined;
    throw error;
  });
  if (!dataset) return undefined;
  const split = spread(dataset.all, count);
  const { data } = await split.read(Array.from({ length: split.count }, (_, row) => row));
  const size = side * side * channels;
  const [, ...shape] = [0, ...domainShape({ image })];
  const result = new Float32Array(split.count * shape.reduce((product, length) => product * length, 1));
  for (let row = 0; row < split.count; row++) {
    const bytes = Uint8Array.from(data.subarray(row * size, (row + 1) * size), value => 255 * value);
    const resized = await sharp(bytes, { raw: { width: side, height: side, channels: channels === 3 ? 3 : 1 } })
      .resize(width, height, { fit: 'fill' })
      .toColourspace(channels === 3 ? 'srgb' : 'b-w')
      .raw()
      .toBuffer();
    result.set(
      Float32Array.from(resized, value => (polarity === 'light-on-dark' ? 255 - value : value) / 255),
      row * height * width * channels,
    );
  }
  return result;
}
