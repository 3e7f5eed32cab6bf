// How near a bundle's translations of held-out pictures are to what they should be, beside leaving the pictures as they are.
import {
  type BundleGenerator,
  domainShape,
  findOperation,
  float32,
  GenserveError,
  sizeOf,
  type Tensor,
  takeRows,
} from '@genserve/runtime';
import { rowsInOrder } from '../data/batches.js';
import type { Split } from '../data/dataset.js';
import { interleave } from '../export/sheet.js';
import { inRowChunks, type RowOptions } from './row-chunks.js';
import { type Picture, structuralSimilarity, WINDOW } from './samples/structural-similarity.js';
import { mean, standardError } from './summary.js';

export interface TranslationOptions extends RowOptions {
  /** Of the noise that translations are drawn with; 0 when absent. */
  readonly seed?: number | undefined;
}

export interface TranslationEvaluation {
  readonly rows: number;
  /**
   * Means over rows: l1, the absolute difference of pixels in [0, 1], and ssim (of pictures that have room for its
   * window), with standard errors; and the same of the
   * identity map as identity_l1 and identity_ssim where inputs and outputs are of one shape.
   */
  readonly metrics: Readonly<Record<string, number>>;
}

const ROWS_PER_CHUNK = 100;

/** Throws OPERATION_UNSUPPORTED where the bundle has no `translate`, INVALID_ARGUMENT where the rows are not pairs of its kind. */
export async function evaluateTranslation(
  generator: BundleGenerator,
  split: Split,
  options: TranslationOptions = {},
): Promise<TranslationEvaluation> {
  let made: Errors | undefined;
  let unchanged: Errors | undefined;
  const rows = await inRowChunks(split, options, ROWS_PER_CHUNK, async chunk => {
    const { inputs, outputs, targets } = await translated(generator, split, { ...chunk, ...options });
    if (!targets) throw new GenserveError('INVALID_ARGUMENT', 'data: rows are no pairs', { field: 'data' });
    made ??= new Errors();
    made.add(outputs, targets);
    if (inputs.shape.join() === targets.shape.join()) {
      unchanged ??= new Errors();
      unchanged.add(inputs, targets);
    }
  });
  const identity = Object.entries(unchanged?.figures() ?? {}).map(([name, value]) => [`identity_${name}`, value]);
  return { rows, metrics: { ...made?.figures(), ...Object.fromEntries(identity) } };
}

/** Lines of inputs, of what becomes of them, and of what should where the rows are pairs; rows begin again where they end. */
export async function translationSheet(
  generator: BundleGenerator,
  split: Split,
  { lines, columns, ...options }: SheetShape & Pick<TranslationOptions, 'seed' | 'signal'>,
): Promise<Tensor> {
  const count = Math.min(lines * columns, split.count);
  const { inputs, outputs, targets } = await translated(generator, split, { first: 0, count, ...options });
  const all = Array.from({ length: lines * columns }, (_, index) => index % count);
  const sets = [inputs, outputs, ...(targets ? [targets] : [])];
  return interleave(
    sets.map(set => takeRows(set, all)),
    columns,
  );
}

interface SheetShape {
  readonly lines: number;
  readonly columns: number;
}

interface Translated {
  readonly inputs: Tensor;
  readonly outputs: Tensor;
  readonly targets?: Tensor;
}

async function translated(
  generator: BundleGenerator,
  split: Split,
  {
    first,
    count,
    seed = 0,
    signal,
  }: { readonly first: number; readonly count: number } & Omit<TranslationOptions, 'limit'>,
): Promise<Translated> {
  const { manifest } = generator;
  findOperation(manifest, 'translate');
  const { data, target } = await rowsInOrder(split, manifest.domain!, { first, count, seed }); // of images
  const inputs = float32([count, ...domainShape(manifest.domain)], data);
  const { data: outputs } = await generator.translate(inputs, { seed, firstIndex: first, signal });
  if (target && target.length !== sizeOf(outputs.shape))
    throw new GenserveError('INVALID_ARGUMENT', `data: targets are not of the shape [${outputs.shape.slice(1)}]`, {
      field: 'data',
    });
  return { inputs, outputs, ...(target && { targets: float32(outputs.shape, target) }) };
}

/** Of pictures against the true ones. */
class Errors {
  readonly #l1: number[] = [];
  readonly #ssim: number[] = [];

  /** Both [count, height, width, channels]. */
  add(pictures: Tensor, truths: Tensor): void {
    const [count = 0, height = 0, width = 0, channels = 1] = truths.shape;
    const picture = ({ data }: Tensor, row: number): Picture => {
      const size = height * width * channels;
      // Pictures are of float32.
      return { height, width, channels, data: data.subarray(row * size, (row + 1) * size) as Float32Array };
    };
    for (let row = 0; row < count; row++) {
      const [a, b] = [picture(pictures, row), picture(truths, row)];
      this.#l1.push(mean(a.data.map((value, i) => Math.abs(value - b.data[i]!))));
      if (Math.min(height, width) >= WINDOW) this.#ssim.push(structuralSimilarity(a, b));
    }
  }

  figures(): Record<string, number> {
    return {
      ...{ l1: mean(this.#l1), l1_standard_error: standardError(this.#l1) },
      ...(this.#ssim.length > 0 && { ssim: mean(this.#ssim), ssim_standard_error: standardError(this.#ssim) }),
    };
  }
}
