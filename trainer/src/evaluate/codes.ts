// How much of its codebook a bundle uses: the perplexity of its codes over the data (van den Oord et al. 2017, sec. 3.2).
import { type BundleGenerator, findOperation, GenserveError } from '@genserve/runtime';
import { rowsInOrder } from '../data/batches.js';
import type { Split } from '../data/dataset.js';
import { outputRows } from './operation-rows.js';

export interface CodesOptions {
  /** First rows of the split; all when absent. */
  readonly limit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface CodeUse {
  readonly rows: number;
  /** Codes that there are. */
  readonly codebook: number;
  /** codebook_perplexity, between 1 and `codebook`; codes_used, at least once. */
  readonly metrics: Readonly<Record<string, number>>;
}

const ROWS_PER_CHUNK = 200;

/** Throws OPERATION_UNSUPPORTED where `encode` gives no codes of a codebook. */
export async function evaluateCodes(
  generator: BundleGenerator,
  split: Split,
  { limit = split.count, signal, onProgress }: CodesOptions = {},
): Promise<CodeUse> {
  const { manifest } = generator;
  const port = findOperation(manifest, 'encode').outputs.find(({ role }) => role === 'codes');
  if (port?.limit === undefined)
    throw new GenserveError('OPERATION_UNSUPPORTED', `encode of ${manifest.name} gives no codes of a codebook`);
  const rows = Math.min(limit, split.count);
  const counts = new Array<number>(port.limit).fill(0);
  for (let first = 0; first < rows; first += ROWS_PER_CHUNK) {
    signal?.throwIfAborted();
    const count = Math.min(ROWS_PER_CHUNK, rows - first);
    const { data } = await rowsInOrder(split, manifest.domain!, { first, count, seed: 0 });
    const codes = await outputRows(generator, { name: 'encode', role: 'codes' }, data, count, signal);
    for (const code of codes.data) counts[code]!++;
    onProgress?.(first + count, rows);
  }
  return {
    rows,
    codebook: port.limit,
    metrics: { codebook_perplexity: perplexity(counts), codes_used: counts.filter(count => count > 0).length },
  };
}

/** e^H of the shares of these counts. */
export function perplexity(counts: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const shares = counts.filter(count => count > 0).map(count => count / total);
  return Math.exp(-shares.reduce((sum, share) => sum + share * Math.log(share), 0));
}
