// Seeded noise: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), counter-based, so
// that every number is a pure function of (seed, name, sample, draw, element). Contract, section 3.
import { invalid } from './errors.js';
import { sizeOf } from './tensor.js';
import { utf8 } from './text.js';

export type Distribution = 'normal' | 'uniform';

export interface NoiseRequest {
  /** 0 <= seed < 2^53 */
  readonly seed: number;
  /** Name of the noise; different names are independent streams. */
  readonly name: string;
  readonly distribution: Distribution;
  /** Shape of one sample's noise, without the batch dimension. */
  readonly shape: readonly number[];
  /** Index of the first sample; 0 when absent. firstIndex + count <= 2^32. */
  readonly firstIndex?: number | undefined;
  /** Samples to draw; 1 when absent. */
  readonly count?: number | undefined;
  /** The importance sample, or the training step; 0 when absent. 0 <= draw < 2^32. */
  readonly draw?: number | undefined;
}

const TWO_32 = 2 ** 32;

/** A fresh seed for a caller who gave none. Not for secrets. */
export function drawSeed(): number {
  return Math.floor(Math.random() * Number.MAX_SAFE_INTEGER);
}

/** `seed` itself, or INVALID_ARGUMENT where it is not an integer with 0 <= seed < 2^53. */
export function checkSeed(seed: number, field = 'seed'): number {
  return checkIndex(seed, field, Number.MAX_SAFE_INTEGER);
}

function checkIndex(value: number, field: string, greatest: number): number {
  if (!Number.isSafeInteger(value) || value < 0 || value > greatest)
    throw invalid(field, `must be an integer from 0 to ${greatest}, was ${value}`);
  return value;
}

/** float32 [count, ...shape], row-major. Row i depends on (seed, name, firstIndex + i, draw) alone. */
export function fillNoise(request: NoiseRequest): Float32Array<ArrayBuffer> {
  const { firstIndex = 0, count = 1, draw = 0, shape, distribution } = request;
  checkIndex(count, 'count', TWO_32);
  checkIndex(firstIndex, 'firstIndex', TWO_32 - count);
  const size = sizeOf(shape);
  const noise = new NoiseStream(request.seed, request.name, distribution);
  const values = new Float32Array(count * size);
  for (let row = 0; row < count; row++)
    noise.fill(values.subarray(row * size, (row + 1) * size), firstIndex + row, draw);
  return values;
}

/** One named stream of one seed; for callers that draw many samples of it. */
export class NoiseStream {
  readonly #key: readonly [number, number];
  readonly #stream: number;
  readonly #words = new Uint32Array(4);

  constructor(
    seed: number,
    name: string,
    readonly distribution: Distribution,
  ) {
    checkSeed(seed);
    this.#key = [seed % TWO_32, Math.floor(seed / TWO_32)];
    this.#stream = fnv1a(name);
  }

  /** Writes `target.length` elements of (sample, draw), from element `first` on: a multiple of 4, where a block begins. */
  fill(target: Float32Array, sample: number, draw = 0, first = 0): void {
    checkIndex(sample, 'firstIndex', TWO_32 - 1);
    checkIndex(draw, 'draw', TWO_32 - 1);
    const words = this.#words;
    const [low, high] = this.#key;
    const normal = this.distribution === 'normal';
    for (let start = 0; start < target.length; start += 4) {
      philox(words, (first + start) / 4, sample, draw, this.#stream, low, high);
      for (let pair = 0; pair < 4; pair += 2) {
        let first = uniform(words[pair]!);
        let second = uniform(words[pair + 1]!);
        if (normal) {
          // Box & Muller 1958: radius from the first uniform, angle from the second.
          const radius = Math.sqrt(-2 * Math.log(first));
          const angle = 2 * Math.PI * second;
          first = radius * Math.cos(angle);
          second = radius * Math.sin(angle);
        }
        // Writes past the end of a typed array are ignored, so the last block needs no special case.
        target[start + pair] = first;
        target[start + pair + 1] = second;
      }
    }
  }
}

/** Exact in float32 and never 0 or 1, which 24- and 32-bit forms can round to. */
function uniform(word: number): number {
  return ((word >>> 9) + 0.5) * 2 ** -23;
}

/** FNV-1a, 32 bits, of the name's UTF-8 bytes. */
export function fnv1a(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of utf8(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** Upper 32 bits of the 64-bit product of two words, all in 32-bit integers, which engines make fast. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = (Math.imul(aHigh, bLow) >>> 0) + (Math.imul(aLow, bLow) >>> 16);
  const carry = (Math.imul(aLow, bHigh) >>> 0) + (middle & 0xffff);
  return Math.imul(aHigh, bHigh) + (middle >>> 16) + (carry >>> 16);
}

/** Philox4x32-10: writes the four words of one counter (c0, c1, c2, c3) under one key (k0, k1) into `out`. */
export function philox(out: Uint32Array, c0: number, c1: number, c2: number, c3: number, k0: number, k1: number): void {
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd2511f53, c0);
    const low0 = Math.imul(0xd2511f53, c0);
    const high1 = multiplyHigh(0xcd9e8d57, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = Math.imul(0xcd9e8d57, c2);
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}
