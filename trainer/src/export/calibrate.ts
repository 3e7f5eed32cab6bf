// Anomaly scores on held-out normal data: the table that p-values are read from.
import type { BundleGenerator, Score } from '@genserve/runtime';
import { writeNpy } from '@genserve/runtime';
import type { Split } from '../data/dataset.js';
import { dataTensor } from '../evaluate/likelihood.js';

/** Most scores that a table keeps (contract, section 8). */
const TABLE_ROWS = 10_000;
const ROWS_PER_CHUNK = 100;

export interface CalibrationTable {
  /** Rows that were scored. */
  readonly count: number;
  /** float64, sorted ascending. */
  readonly npy: Uint8Array<ArrayBuffer>;
}

/** Scores the first `limit` rows just as a request is scored: grey values in, binarised by the score's own seed. */
export async function calibrate(
  generator: BundleGenerator,
  score: Score,
  split: Split,
  limit: number,
): Promise<CalibrationTable> {
  const count = Math.min(limit, split.count, TABLE_ROWS);
  const scores: number[] = [];
  for (let first = 0; first < count; first += ROWS_PER_CHUNK) {
    const rows = Math.min(ROWS_PER_CHUNK, count - first);
    const { data } = await split.read(Array.from({ length: rows }, (_, i) => first + i));
    const anomalies = await generator.anomaly(dataTensor(generator.manifest, data, rows), { scores: [score.name] });
    for (const { scores: values } of anomalies) scores.push(values[0]!.value);
  }
  const sorted = Float64Array.from(scores).sort();
  return { count, npy: writeNpy([sorted.length], sorted) };
}
