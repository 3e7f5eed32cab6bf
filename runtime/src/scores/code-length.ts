// How many bits a picture takes when an adaptive binary context model codes it: the complexity of Serrà et al. 2020,
// in integer arithmetic, so that it is the same number on every platform. Each picture is coded by itself, pixel by pixel
// in raster order; every decision's probability comes from the decisions made before in the same context.
import type { ImageDomain } from '@genserve/proto/manifest';
import { GenserveError } from '../errors.js';

/** Probabilities are n / 2^12; prices are in 2^-12 bits. */
const PRECISION = 12;
const ONE = 1 << PRECISION;
/** Decisions after which a context begins to forget. */
const MEMORY = 255;

/** -log2(p / 2^12) in 2^-12 bits, by repeated squaring in integers. */
const prices = Int32Array.from({ length: ONE }, (_, p) => {
  let mantissa = Math.max(1, p);
  let doublings = 0;
  for (let i = 0; i < PRECISION; i++) {
    mantissa *= mantissa;
    doublings *= 2;
    for (; mantissa >= 65_536; doublings++) mantissa = Math.floor(mantissa / 2);
  }
  // What is left of p^(2^12) lies in [2^15, 2^16), of which the logarithm is taken for 15.
  return ONE * PRECISION - doublings - 15;
});

/** Counts of 0 and 1 in each context, with the estimate of Krichevsky & Trofimov 1981. */
class ContextModel {
  readonly #counts: Uint8Array;
  /** 2^-12 bits so far. */
  price = 0;

  constructor(contexts: number) {
    this.#counts = new Uint8Array(2 * contexts);
  }

  code(context: number, bit: number): void {
    const at = 2 * context;
    const [zeros, ones] = [this.#counts[at]!, this.#counts[at + 1]!];
    const one = Math.max(1, Math.min(ONE - 1, Math.floor((ONE * (2 * ones + 1)) / (2 * (zeros + ones + 1)))));
    this.price += prices[bit ? one : ONE - one]!;
    this.#counts[at + bit]!++;
    if (zeros + ones + 1 === MEMORY) {
      this.#counts[at] = (zeros + 1) >> 1;
      this.#counts[at + 1] = (ones + 1) >> 1;
    }
  }
}

/**
 * Bits for one picture [height, width, channels] of k / (levels - 1). Throws OPERATION_UNSUPPORTED where the data are not
 * pictures of a number of levels.
 */
export function codeLength(pixels: ArrayLike<number>, image: ImageDomain | undefined): number {
  if (!image || image.levels < 2)
    throw new GenserveError('OPERATION_UNSUPPORTED', 'complexity is defined for pictures with levels alone');
  const { width, channels, levels } = image;
  const stride = width * channels;
  const values = Int32Array.from(pixels, value => Math.round(value * (levels - 1)));
  /** The level `rows` above and `columns` to the left (to the right where negative), 0 outside. */
  const before = (i: number, rows: number, columns: number): number => {
    const column = (((i % stride) / channels) | 0) - columns;
    return column < 0 || column >= width ? 0 : (values[i - rows * stride - columns * channels] ?? 0);
  };
  return (levels === 2 ? binaryPrice(values, before) : residualPrice(values, before, levels, channels)) / ONE;
}

type Before = (i: number, rows: number, columns: number) => number;

/** Six neighbours make the context, as in JBIG's smallest template. */
function binaryPrice(values: Int32Array, before: Before): number {
  const model = new ContextModel(64);
  values.forEach((value, i) => {
    const [w, ww, nw] = [before(i, 0, 1), before(i, 0, 2), before(i, 1, 1)];
    const [n, ne, nn] = [before(i, 1, 0), before(i, 1, -1), before(i, 2, 0)];
    model.code(w | (n << 1) | (nw << 2) | (ne << 3) | (ww << 4) | (nn << 5), value);
  });
  return model.price;
}

/** Kinds of surroundings, from flat to busy. */
const ACTIVITIES = 9;
const LENGTHS = 32;

/** Residuals of the median edge detector (Weinberger et al. 2000, JPEG-LS), coded as zero?, sign, length and digits. */
function residualPrice(values: Int32Array, before: Before, levels: number, channels: number): number {
  const perActivity = 4 + LENGTHS;
  const digits = ACTIVITIES * perActivity;
  const perChannel = digits + LENGTHS * LENGTHS;
  const model = new ContextModel(channels * perChannel);
  const residuals = new Int32Array(values.length);
  values.forEach((value, i) => {
    const [w, n, nw, ne] = [before(i, 0, 1), before(i, 1, 0), before(i, 1, 1), before(i, 1, -1)];
    const predicted = Math.max(Math.min(w, n), Math.min(Math.max(w, n), w + n - nw));
    // Modulo the number of levels, in [-levels / 2, levels / 2).
    const half = levels >> 1;
    const residual = ((((value - predicted + half) % levels) + levels) % levels) - half;
    residuals[i] = residual;
    const last = residuals[i - channels] ?? 0;
    const activity = Math.abs(w - nw) + Math.abs(nw - n) + Math.abs(n - ne) + Math.abs(last);
    const flat = activity === 0 && w === 0 ? 0 : Math.min(ACTIVITIES - 1, 1 + bitLength(activity));
    const base = (i % channels) * perChannel;
    const context = base + flat * perActivity;
    model.code(context, residual === 0 ? 1 : 0);
    if (residual === 0) return;
    model.code(context + 1 + (last === 0 ? 0 : last > 0 ? 1 : 2), residual > 0 ? 1 : 0);
    const size = Math.abs(residual);
    const length = bitLength(size);
    for (let k = 1; k < bitLength(half); k++) {
      model.code(context + 4 + k, k < length ? 1 : 0);
      if (k >= length) break;
    }
    for (let digit = length - 2; digit >= 0; digit--)
      model.code(base + digits + length * LENGTHS + digit, (size >> digit) & 1);
  });
  return model.price;
}

/** Binary digits of a non-negative integer; 0 for 0. */
function bitLength(value: number): number {
  return 32 - Math.clz32(value);
}
