// Pictures to be measured: drawn from a bundle, made from data by it, or read from data.
import {
  type BundleGenerator,
  type Domain,
  domainShape,
  float32,
  sizeOf,
  type Tensor,
  toBytes,
} from '@genserve/runtime';
import { rowsAt } from '../../data/batches.js';
import type { Split } from '../../data/dataset.js';
import { permutation } from '../../data/order.js';
import { type RowSet, rowRange } from './row-set.js';

export interface Pictures {
  /** Rows of height * width * channels, in [0, 1]. */
  readonly images: RowSet;
  /** Asked for; -1: none. */
  readonly labels: readonly number[];
}

interface DrawOptions {
  /** 0 when absent. */
  readonly seed?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const SAMPLES = 10_000;
const ROWS_PER_CHUNK = 200;

/**
 * `count` samples of a bundle, 10,000 when absent, at 256 levels, as picture files hold them and real data have them. Where
 * it knows classes they are drawn as often as the training data have them: of classes in turn, rows would not be independent,
 * and the kernel distance, which takes pairs of rows for that, would come out too small.
 */
export async function drawPictures(
  generator: BundleGenerator,
  { count = SAMPLES, seed = 0, signal }: DrawOptions & { readonly count?: number | undefined },
): Promise<Pictures> {
  const labels: number[] = [];
  let images: Float32Array | undefined;
  for (let first = 0; first < count; first += ROWS_PER_CHUNK) {
    const rows = Math.min(ROWS_PER_CHUNK, count - first);
    const { data, labels: drawn } = await generator.sample({ count: rows, firstIndex: first, seed, signal });
    const width = data.data.length / rows;
    images ??= new Float32Array(count * width);
    images.set(atByteLevels(data), first * width);
    labels.push(...(drawn ?? new Array<number>(rows).fill(-1)));
  }
  const data = images ?? new Float32Array(0);
  return { images: { count, width: data.length / count, data }, labels };
}

/** As picture files hold pictures. */
export const atByteLevels = (pictures: Tensor): Float32Array =>
  Float32Array.from(toBytes(pictures), byte => byte / 255);

/** What the bundle makes of pictures through its code, which is as good as its samples can be. */
export async function reconstructed(
  generator: BundleGenerator,
  { images, labels }: Pictures,
  { seed, signal }: DrawOptions,
): Promise<Pictures> {
  const { height, width, channels } = generator.manifest.domain!.image!; // of pictures, as checked
  const data = new Float32Array(images.data.length);
  for (let first = 0; first < images.count; first += ROWS_PER_CHUNK) {
    const part = rowRange(images, first, ROWS_PER_CHUNK);
    const rows = float32([part.count, height, width, channels], Float32Array.from(part.data));
    data.set(atByteLevels((await generator.reconstruct(rows, { seed, signal })).data), first * images.width);
  }
  return { images: { ...images, data }, labels };
}

/** Drawn by seed: the first rows of a set may be of one class. */
export async function drawRows(split: Split, domain: Domain, count: number, seed: number): Promise<Pictures> {
  const order = permutation(split.count, seed, 'measured-rows');
  return await readPictures(split, domain, Array.from(order.subarray(0, count)), seed);
}

/** These rows, binarised as the domain states, by the seed. */
export async function readPictures(
  split: Split,
  domain: Domain,
  indices: readonly number[],
  seed: number,
): Promise<Pictures> {
  const { data, labels } = await rowsAt(split, domain, indices, seed);
  return {
    images: { count: indices.length, width: sizeOf(domainShape(domain)), data },
    labels: Array.from(labels ?? new Int32Array(indices.length).fill(-1)),
  };
}
