// Scores of many rows, chunk by chunk.
import { BundleGenerator, domainShape, float32, type Manifest, type Score } from '@genserve/runtime';
import type { Split } from '../data/dataset.js';
import { labelledScores } from './labelled.js';

const ROWS_PER_CHUNK = 250;

export interface ScoreValuesOptions {
  /** First rows of the split; all when absent. */
  readonly rows?: number | undefined;
  /** Names; all scores of the model when absent. */
  readonly scores?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface ScoreValues {
  /** By name, one number per row; NaN where the score uses labels and the row has none. */
  readonly values: ReadonlyMap<string, Float64Array>;
  /** By name, one per row; NaN there too, and where the score is not calibrated. */
  readonly pValues: ReadonlyMap<string, Float64Array>;
  /** Absent for unlabelled data. */
  readonly labels?: Int32Array | undefined;
}

/** Grey values go in as in a request, so that they are binarised as a request's are; labels to the scores that use them alone. */
export async function scoreValues(
  generator: BundleGenerator,
  split: Split,
  options: ScoreValuesOptions = {},
): Promise<ScoreValues> {
  const { manifest } = generator;
  const names = options.scores ?? manifest.scores.map(({ name }) => name);
  const rows = Math.min(options.rows ?? split.count, split.count);
  const columns = () => new Map(names.map(name => [name, new Float64Array(rows).fill(Number.NaN)]));
  const [values, pValues] = [columns(), columns()];
  const labels = new Int32Array(rows);
  let labelled = true;
  for (let first = 0; first < rows; first += ROWS_PER_CHUNK) {
    options.signal?.throwIfAborted();
    const indices = Array.from({ length: Math.min(ROWS_PER_CHUNK, rows - first) }, (_, i) => first + i);
    const part = await split.read(indices);
    const shape = [indices.length, ...domainShape(manifest.domain)];
    const x = float32(shape, part.data);
    const found = await labelledScores(generator, x, part.labels ?? [], { scores: names });
    found.forEach((scores, i) => {
      for (const [name, { value, pValue }] of scores) {
        values.get(name)![first + i] = value;
        if (pValue !== undefined) pValues.get(name)![first + i] = pValue;
      }
    });
    if (part.labels) labels.set(part.labels, first);
    else labelled = false;
    options.onProgress?.(first + indices.length, rows);
  }
  return { values, pValues, ...(labelled && { labels }) };
}

/** The model with other scores than its bundle has, and tables that are not files yet. */
export function withScores(
  { manifest, runner }: Pick<BundleGenerator, 'manifest' | 'runner'>,
  scores: readonly Score[],
  tables: ReadonlyMap<string, Float64Array>,
): BundleGenerator {
  const changed: Manifest = { ...manifest, scores: [...scores] };
  return new BundleGenerator({ manifest: changed, table: async path => tables.get(path)! }, runner);
}
