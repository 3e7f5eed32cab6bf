// Shuffled batches whose content is a function of (seed, step): training can restart at any step and see the same rows.
import type { Domain } from '@genserve/runtime';
import { invalid } from '@genserve/runtime';
import { type Augmentation, augment } from './augment.js';
import { binarise } from './binarise.js';
import type { Rows, Split } from './dataset.js';
import { permutation } from './order.js';

export interface BatchOptions {
  /** Rows of a batch; the last batch of an epoch is filled up from the next epoch. */
  readonly size: number;
  readonly seed: number;
  /** First step, 0 for a new run. */
  readonly step?: number;
  readonly augmentation?: Augmentation | undefined;
}

/** Rows whose data are binarised as the domain states. */
export interface Batch extends Rows {
  readonly step: number;
  /** Epoch of the batch's first row, from 0. */
  readonly epoch: number;
}

/** Endless. The next batch is read while the caller works on the one it has. */
export async function* batches(split: Split, domain: Domain, options: BatchOptions): AsyncGenerator<Batch, never> {
  const { size, seed } = options;
  if (!Number.isInteger(size) || size < 1) throw invalid('batch', `must be a positive integer, not ${size}`);
  const order = new EpochOrder(split.count, seed);
  const prepare = async (step: number): Promise<Batch> => {
    const first = step * size;
    const indices = Array.from({ length: size }, (_, i) => order.at(first + i));
    const found = await split.read(indices);
    const rows = options.augmentation ? augment(found, domain, options.augmentation, { seed, step }) : found;
    const key = { seed, draw: step, samples: indices.map((_, row) => row) };
    return { ...rows, step, epoch: Math.floor(first / split.count), data: binarise(rows.data, domain, key) };
  };
  let next = prepare(options.step ?? 0);
  for (let step = options.step ?? 0; ; step++) {
    const batch = await next;
    next = prepare(step + 1);
    // Where the caller stops here, a failure of the batch that nobody asked for must not end the process.
    next.catch(() => {});
    yield batch;
  }
}

/** The endless sequence of row indices: one permutation after the other, of which the last two are kept. */
class EpochOrder {
  readonly #orders = new Map<number, Int32Array>();

  constructor(
    readonly count: number,
    readonly seed: number,
  ) {}

  at(position: number): number {
    const epoch = Math.floor(position / this.count);
    let order = this.#orders.get(epoch);
    if (!order) {
      order = permutation(this.count, this.seed, 'order', epoch);
      this.#orders.delete(epoch - 2);
      this.#orders.set(epoch, order);
    }
    return order[position % this.count]!;
  }
}

/** Rows first ... first+count-1 of a split in its own order, binarised by (seed, row): for evaluation. */
export async function rowsInOrder(
  split: Split,
  domain: Domain,
  range: { readonly first: number; readonly count: number; readonly seed: number },
): Promise<Rows> {
  const count = Math.min(range.count, split.count - range.first);
  const indices = Array.from({ length: count }, (_, i) => range.first + i);
  return await rowsAt(split, domain, indices, range.seed);
}

/** These rows, binarised by (seed, row). */
export async function rowsAt(split: Split, domain: Domain, indices: readonly number[], seed: number): Promise<Rows> {
  const rows = await split.read(indices);
  return { ...rows, data: binarise(rows.data, domain, { seed, draw: 0, samples: indices }) };
}
