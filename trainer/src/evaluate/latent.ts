// What the codes of a bundle's `encode` hold: how many of their units are used, and whether neighbours are of one class.
import { type BundleGenerator, findOperation, float32, type Tensor } from '@genserve/runtime';
import { rowsInOrder } from '../data/batches.js';
import type { Dataset, Split } from '../data/dataset.js';
import { squaredDistance } from './distance.js';
import type { RowOptions } from './row-chunks.js';
import { variance } from './summary.js';

export interface LatentEvaluationOptions extends RowOptions {
  readonly split?: 'train' | 'calibration' | 'test' | undefined;
  /** Of the binarisation; 0 when absent. */
  readonly seed?: number | undefined;
}

export interface LatentEvaluation {
  readonly rows: number;
  /** Neighbours that vote, and the rows of train that they are taken from. */
  readonly neighbours: number;
  readonly trainRows: number;
  /** latent_units and active_units; knn_error (a share, 0 to 1) and its standard error where the data have labels. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** A unit is active where its posterior mean varies over the data by more: Burda et al. 2016, sec. 5. */
const ACTIVE_VARIANCE = 0.01;
const NEIGHBOURS = 5;
/** All of train in two dimensions; fewer, at equal work, in more. */
const TRAIN_COORDINATES = 500_000;
const ROWS_PER_CHUNK = 200;

/** Throws OPERATION_UNSUPPORTED where the bundle has no `encode`. */
export async function evaluateLatent(
  generator: BundleGenerator,
  dataset: Dataset,
  options: LatentEvaluationOptions = {},
): Promise<LatentEvaluation> {
  const { split = 'test', limit = Number.POSITIVE_INFINITY } = options;
  const rows = Math.min(limit, dataset[split].count);
  const first = await encodeRows(generator, dataset[split], { ...options, count: 1 });
  const trainRows = Math.min(dataset.train.count, Math.ceil(TRAIN_COORDINATES / first.units));
  const total = rows + trainRows;
  const report = options.onProgress;
  const tested = await encodeRows(generator, dataset[split], {
    ...options,
    count: rows,
    onRows: done => report?.(done, total),
  });
  const active = Array.from({ length: tested.units }, (_, unit) =>
    variance(Float64Array.from({ length: rows }, (_, row) => tested.codes[row * tested.units + unit]!)),
  ).filter(each => each > ACTIVE_VARIANCE).length;
  const metrics: Record<string, number> = { latent_units: tested.units, active_units: active };
  if (tested.labels.some(label => label >= 0)) {
    const known = await encodeRows(generator, dataset.train, {
      ...options,
      count: trainRows,
      onRows: done => report?.(rows + done, total),
    });
    const error = neighbourError(tested, known);
    const labelled = tested.labels.filter(label => label >= 0).length;
    metrics.knn_error = error;
    metrics.knn_standard_error = Math.sqrt((error * (1 - error)) / labelled);
  }
  return { rows, neighbours: NEIGHBOURS, trainRows, metrics };
}

export interface Codes {
  readonly units: number;
  /** [rows * units] */
  readonly codes: Float32Array;
  /** -1: none. */
  readonly labels: readonly number[];
}

interface EncodeOptions extends Pick<LatentEvaluationOptions, 'seed' | 'signal'> {
  readonly count: number;
  readonly onRows?: (done: number) => void;
}

/** The codes of the first rows of a split, all latents of a row side by side. */
async function encodeRows(generator: BundleGenerator, split: Split, options: EncodeOptions): Promise<Codes> {
  const { manifest } = generator;
  const { shape } = findOperation(manifest, 'encode').inputs.find(({ role }) => role === 'data')!; // every encoder's
  const { count, seed = 0, signal } = options;
  const parts: Float32Array[] = [];
  const labels: number[] = [];
  let units = 0;
  for (let first = 0; first < count; first += ROWS_PER_CHUNK) {
    signal?.throwIfAborted();
    const size = Math.min(ROWS_PER_CHUNK, count - first);
    const rows = await rowsInOrder(split, manifest.domain!, { first, count: size, seed });
    const latents = await generator.encode(float32([size, ...shape.slice(1)], rows.data), { signal, seed });
    const part = sideBySide(Object.values(latents), size);
    units = part.length / size;
    parts.push(part);
    labels.push(...(rows.labels ?? new Int32Array(size).fill(-1)));
    options.onRows?.(first + size);
  }
  const codes = new Float32Array(count * units);
  parts.forEach((part, index) => {
    codes.set(part, index * ROWS_PER_CHUNK * units);
  });
  return { units, codes, labels };
}

/** [rows, ...] of each latent -> [rows, all their units]. */
function sideBySide(latents: readonly Tensor[], rows: number): Float32Array {
  const widths = latents.map(({ data }) => data.length / rows);
  const total = widths.reduce((sum, width) => sum + width, 0);
  const result = new Float32Array(rows * total);
  for (let row = 0, at = 0; row < rows; row++)
    for (const [index, { data }] of latents.entries()) {
      const width = widths[index]!;
      for (let unit = 0; unit < width; unit++) result[at++] = data[row * width + unit]!;
    }
  return result;
}

/** Share of `tested` whose label is not the commonest among the nearest of `known`; of equals, the nearest's. */
export function neighbourError(tested: Codes, known: Codes, neighbours = NEIGHBOURS): number {
  let wrong = 0;
  let count = 0;
  for (const [row, label] of tested.labels.entries()) {
    if (label < 0) continue;
    count++;
    const nearest = nearestRows(tested.codes.subarray(row * tested.units, (row + 1) * tested.units), known, neighbours);
    const votes = new Map<number, number>();
    for (const each of nearest) votes.set(known.labels[each]!, (votes.get(known.labels[each]!) ?? 0) + 1);
    const most = Math.max(...votes.values());
    // A Map keeps the order of first votes, nearest first.
    const winner = [...votes].find(([, voices]) => voices === most)?.[0];
    if (winner !== label) wrong++;
  }
  return wrong / count;
}

/** Rows of `known` that bear a label, by Euclidean distance, nearest first. */
function nearestRows(code: Float32Array, known: Codes, count: number): number[] {
  const best: { row: number; distance: number }[] = [];
  for (let row = 0; row < known.labels.length; row++) {
    if (known.labels[row]! < 0) continue;
    const limit = best.length < count ? Number.POSITIVE_INFINITY : best[count - 1]!.distance;
    const distance = squaredDistance(code, 0, known.codes, row * known.units, known.units, limit);
    if (distance >= limit) continue;
    const place = best.findIndex(each => each.distance > distance);
    best.splice(place < 0 ? best.length : place, 0, { row, distance });
    if (best.length > count) best.pop();
  }
  return best.map(({ row }) => row);
}
