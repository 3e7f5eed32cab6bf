// From what a caller gave to what a graph takes: checks every value, fills defaults, labels and noise, and cuts rows
// into steps. Bad input never reaches onnxruntime.
import type { Domain, Manifest, Operation, Port } from '@genserve/proto/manifest';
import { invalid } from './errors.js';
import { classCount } from './manifest.js';
import { checkSeed, type Distribution, fillNoise, NoiseStream } from './noise.js';
import { type DataType, sizeOf, type Tensor, type Tensors, takeRows, zeros } from './tensor.js';

/** One row of a step. */
export interface StepRow {
  /** Row of the caller's tensors; those with one row serve all. */
  readonly index: number;
  /** Which noise: see contract, section 3. Scoring takes sample 0 for every row. */
  readonly sample: number;
  readonly draw: number;
}

/** Names the caller's field that feeds a port, for error messages; the port's own name when absent. */
export type FieldOf = (port: Port) => string;

/** Operations whose result is a score of their input: noise is that of sample 0 in every row. */
export function isScoring(operation: string): boolean {
  return /log_prob|critic|classify|features|norms/.test(operation);
}

/** The class that `uniform`, 0 to 1, falls into where each has its share of the whole. */
export function labelAt(shares: readonly number[], uniform: number): number {
  let left = uniform * shares.reduce((sum, share) => sum + share, 0);
  let label = 0;
  for (const share of shares.slice(0, -1)) {
    left -= share;
    if (left < 0) break;
    label++;
  }
  return label;
}

/** Operations that draw an absent label from the training frequencies; others feed the port's default, -1. */
const DRAWS_LABEL = /^(sample|decode|complete)/;

/** Noise that draws absent labels, and the one that binarises grey values. */
const LABEL_NOISE = 'label';
const BINARISE_NOISE = 'binarise';

/**
 * Checked inputs of one call of one operation. Tensors are by port name, [rows or 1, ...port.shape]; inputs that are
 * absent are filled: noise from (seed, sample, draw), labels by training frequency, the rest from the port's default.
 *
 * Data of an image or video domain must lie in [0, 1] and are brought to its quantisation levels as the domain says:
 * at two levels and binarisation `dynamic`, a Bernoulli draw of the grey value (uniform noise "binarise" of `seed`,
 * sample 0, so that it depends on the row and the seed alone); `threshold` and `static`, 1 from 0.5 up; `none`, grey
 * values are refused. With more levels, the nearest one. Values that lie at a level stay as they are.
 *
 * Throws INVALID_ARGUMENT naming the field.
 */
export class OperationInputs {
  readonly #given: Readonly<Record<string, Tensor>>;
  readonly #noises: ReadonlyMap<string, NoiseStream>;
  readonly #labels: { readonly stream: NoiseStream; readonly frequencies: readonly number[] } | undefined;

  constructor(
    readonly manifest: Manifest,
    readonly operation: Operation,
    readonly rows: number,
    given: Tensors,
    readonly seed: number,
    readonly fieldOf: FieldOf = port => port.name,
  ) {
    checkCount(rows, 'count');
    checkSeed(seed);
    const checked: Record<string, Tensor> = {};
    for (const [name, tensor] of Object.entries(given)) {
      const port = operation.inputs.find(input => input.name === name);
      if (!port) throw invalid(name, `${operation.name} takes ${operation.inputs.map(input => input.name).join(', ')}`);
      checked[name] = this.#check(port, tensor);
    }
    this.#given = checked;
    const noises = new Map<string, NoiseStream>();
    for (const port of operation.inputs) {
      if (checked[port.name]) continue;
      if (port.role === 'noise') {
        const distribution = manifest.noises.find(({ name }) => name === port.name)?.distribution as Distribution; // closed list
        noises.set(port.name, new NoiseStream(seed, port.name, distribution));
      } else if (port.default === undefined && port.role !== 'state' && !(port.role === 'label' && this.#frequencies()))
        throw invalid(fieldOf(port), `must be given: ${operation.name} has no default for it`);
    }
    this.#noises = noises;
    const frequencies = this.#frequencies();
    if (frequencies) this.#labels = { stream: new NoiseStream(seed, LABEL_NOISE, 'uniform'), frequencies };
  }

  /** Complete feeds for these rows, in arrays of their own. Batch ports are [rows.length, ...]. */
  feeds(rows: readonly StepRow[]): Tensors {
    return Object.fromEntries(this.operation.inputs.map(port => [port.name, this.#feed(port, rows)]));
  }

  #feed(port: Port, rows: readonly StepRow[]): Tensor {
    const given = this.#given[port.name];
    const feed = given ? takeGiven(given, rows) : this.#fill(port, rows);
    const { data } = feed;
    if (port.role === 'label') this.#drawLabels(rows, data);
    // In the copy that this is: for small models another array of so many pixels is a tenth of the run's time.
    if (port.role === 'data' && data instanceof Float32Array && !this.operation.name.startsWith('translate'))
      quantise(data, this.manifest.domain, this.seed, this.fieldOf(port));
    return feed;
  }

  /** An input that was not given. */
  #fill(port: Port, rows: readonly StepRow[]): Tensor {
    const [batch, ...rest] = port.shape;
    const shape = batch === undefined ? [] : [rows.length, ...rest];
    const data = zeros(port.dtype, sizeOf(shape));
    if (port.role === 'noise')
      this.#drawNoise(port, rows, sizeOf(rest), data as Float32Array); // float32, by its role
    else data.fill(port.default ?? (port.role === 'label' ? -1 : 0));
    return { dtype: port.dtype as DataType, shape, data }; // of the closed list
  }

  #drawNoise(port: Port, rows: readonly StepRow[], size: number, data: Float32Array): void {
    const stream = this.#noises.get(port.name)!; // made for every noise that was not given
    rows.forEach(({ sample, draw }, row) => {
      const before = rows[row - 1];
      if (before?.sample === sample && before.draw === draw) data.copyWithin(row * size, (row - 1) * size, row * size);
      else stream.fill(data.subarray(row * size, (row + 1) * size), sample, draw);
    });
  }

  #drawLabels(rows: readonly StepRow[], labels: Float32Array | Int32Array): void {
    if (!this.#labels) return;
    const { stream, frequencies } = this.#labels;
    const uniform = new Float32Array(1);
    rows.forEach(({ sample }, row) => {
      if (labels[row] !== -1) return;
      stream.fill(uniform, sample);
      labels[row] = labelAt(frequencies, uniform[0]!);
    });
  }

  /** Training frequencies, where this operation draws absent labels from them. */
  #frequencies(): readonly number[] | undefined {
    const label = this.manifest.conditions.find(({ kind }) => kind === 'label');
    return DRAWS_LABEL.test(this.operation.name) && label?.frequencies.length ? label.frequencies : undefined;
  }

  #check(port: Port, tensor: Tensor): Tensor {
    const field = this.fieldOf(port);
    const { dtype, shape, data } = tensor;
    if (dtype !== port.dtype) throw invalid(field, `must be ${port.dtype}, was ${dtype}`);
    const rest = port.shape.slice(1);
    const batch = port.shape.length > 0;
    const fits = [...(batch ? [this.rows, 1] : [''])].some(rows => [rows, ...rest].join() === shape.join());
    if (!fits) {
      const counts = this.rows === 1 ? '1' : `${this.rows} or 1`;
      throw invalid(field, `must have shape [${batch ? [counts, ...rest] : ''}], was [${shape}]`);
    }
    if (data.length !== sizeOf(shape)) throw invalid(field, `holds ${data.length} numbers for shape [${shape}]`);
    const [least, greatest] = rangeOf(port, this.manifest);
    for (let i = 0; i < data.length; i++) {
      // Written so that NaN fails as well.
      if (!(data[i]! >= least && data[i]! <= greatest))
        throw invalid(field, `must be ${rangeText(least, greatest)}; element ${i} was ${data[i]}`);
    }
    if (port.role === 'mask' && !isBinary(data)) throw invalid(field, 'must be 0 (unknown) or 1 (known) everywhere');
    return tensor;
  }
}

/** Complete feeds of one call in a single step: row i has noise of sample `firstIndex + i`, or 0 where it scores. */
export function buildFeeds(
  manifest: Manifest,
  operation: Operation,
  rows: number,
  given: Tensors,
  options: { readonly seed: number; readonly firstIndex?: number; readonly draw?: number; readonly fieldOf?: FieldOf },
): Tensors {
  const { seed, firstIndex = 0, draw = 0, fieldOf } = options;
  const scoring = isScoring(operation.name);
  const inputs = new OperationInputs(manifest, operation, rows, given, seed, fieldOf);
  return inputs.feeds(
    Array.from({ length: rows }, (_, index) => ({ index, sample: scoring ? 0 : firstIndex + index, draw })),
  );
}

/** A count of rows, draws or steps: an integer of at least `least`. */
export function checkCount(count: number, field: string, least = 1): number {
  if (!Number.isSafeInteger(count) || count < least)
    throw invalid(field, `must be an integer of ${least} or more, was ${count}`);
  return count;
}

/** The smallest float32 above 0. */
const LEAST_POSITIVE = 2 ** -149;
/** Greater than every finite float32, less than Infinity. */
const MOST = 1e39;

/** What one value of a port may be. */
function rangeOf({ role, dtype, limit }: Port, manifest: Manifest): readonly [number, number] {
  const { image, video, audio, text } = manifest.domain ?? {};
  if (role === 'label') return [-1, classCount(manifest) - 1];
  if (role === 'strength' || role === 'mask') return [0, 1];
  if (role === 'data' || role === 'style') {
    if (image || video) return [0, 1];
    if (audio) return [-1, 1];
    if (text) return [0, text.vocabulary.length - 1];
  }
  if (role === 'temperature' || role === 'truncation') return [LEAST_POSITIVE, MOST];
  if (dtype === 'int32') return [0, (limit ?? MOST) - 1];
  return [-MOST, MOST];
}

function rangeText(least: number, greatest: number): string {
  if (greatest < MOST) return `from ${least} to ${greatest}`;
  if (least === LEAST_POSITIVE) return 'greater than 0, and finite';
  return least > -MOST ? `${least} or more, and finite` : 'finite';
}

/** A copy, as feeds may be transferred; one row serves all. */
function takeGiven(given: Tensor, rows: readonly StepRow[]): Tensor {
  if (given.shape.length === 0) return { ...given, data: given.data.slice() };
  return takeRows(
    given,
    rows.map(({ index }) => (given.shape[0] === 1 ? 0 : index)),
  );
}

/** By a plain loop: a callback for each of millions of values would cost more than their run. */
function isBinary(data: Tensor['data']): boolean {
  for (let i = 0; i < data.length; i++) if (data[i] !== 0 && data[i] !== 1) return false;
  return true;
}

/** Brings values in [0, 1] to the domain's levels, in place, and returns them; see `OperationInputs`. */
export function quantise(
  data: Float32Array<ArrayBuffer>,
  domain: Domain | undefined,
  seed: number,
  field = 'data',
): Float32Array<ArrayBuffer> {
  const { image, video } = domain ?? {};
  const levels = (image ?? video)?.levels ?? 0;
  if (levels < 2 || (levels === 2 && isBinary(data))) return data;
  const binarisation = levels === 2 && (image?.binarisation || 'none');
  if (binarisation === 'none')
    throw invalid(field, 'must be 0 or 1 everywhere: the domain has two levels and states no binarisation');
  const steps = levels - 1;
  let thresholds: Float32Array | undefined;
  if (binarisation === 'dynamic') {
    const { height, width, channels } = image!; // binarisation is a field of images
    thresholds = fillNoise({ seed, name: BINARISE_NOISE, distribution: 'uniform', shape: [height, width, channels] });
  }
  // By a plain loop, as above, and a counter for the pixel: a division for each costs as much as all the rest.
  for (let i = 0, pixel = 0; i < data.length; i++) {
    data[i] = thresholds ? +(thresholds[pixel]! < data[i]!) : Math.round(data[i]! * steps) / steps;
    if (++pixel === thresholds?.length) pixel = 0;
  }
  return data;
}
