// What a bundle's own critic makes of pictures.
import type { BundleGenerator } from '@genserve/runtime';
import { outputRows } from '../operation-rows.js';
import { mean } from '../summary.js';
import { type RowSet, rowRange } from './row-set.js';

const ROWS_PER_CHUNK = 200;

/** Mean score of the rows; undefined where the bundle has no `critic`. Throws CANCELLED after an abort. */
export async function meanCriticScore(
  generator: BundleGenerator,
  images: RowSet,
  signal?: AbortSignal,
): Promise<number | undefined> {
  if (!generator.manifest.operations.some(({ name }) => name === 'critic')) return undefined;
  const scores: number[] = [];
  for (let first = 0; first < images.count; first += ROWS_PER_CHUNK) {
    signal?.throwIfAborted();
    const { data, count } = rowRange(images, first, ROWS_PER_CHUNK);
    const { data: found } = await outputRows(generator, CRITIC, Float32Array.from(data), count, signal);
    scores.push(...found);
  }
  return mean(scores);
}

const CRITIC = { name: 'critic', role: 'score' };
