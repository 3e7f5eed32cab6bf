// How much of its codebook a bundle uses: the perplexity of its codes over the data (van den Oord et al. 2017, sec. 3.2).
import { type BundleGenerator, findOperation, GenserveError } from '@genserve/runtime';
import { rowsInOrder } from '../data/batches.js';
import type { Split } from '../data/dataset.js';
import { outputRows } from './operation-rows.js';
import { inRowChunks, type RowOptions } from './row-chunks.js';

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
  options: RowOptions = {},
): Promise<CodeUse> {
  const { manifest } = generator;
  const port = findOperation(manifest, 'encode').outputs.find(({ role }) => role === 'codes');
  if (port?.limit === undefined)
    throw new GenserveError('OPERATION_UNSUPPORTED', `encode of ${manifest.name} gives no codes of a codebook`);
  const counts = new Array<number>(port.limit).fill(0);
  const rows = await inRowChunks(split, options, ROWS_PER_CHUNK, async ({ first, count }) => {
    const { data } = await rowsInOrder(split, manifest.domain!, { first, count, seed: 0 });
    const codes = await outputRows(generator, { name: 'encode', role: 'codes' }, data, count, options.signal);
    for (const code of codes.data) counts[code]!++;
  });
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
