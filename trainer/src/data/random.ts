// Philox 4x32-10 (Salmon et al. 2011) keyed as the contract's section 3 says: (seed, sample, draw, name).

export interface NoiseKey {
  readonly seed: number;
  readonly sample: number;
  readonly draw: number;
  readonly name: string;
}

/** One block of four words for one counter and key. */
function philox(counter: readonly [number, number, number, number], seed: number): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let k0 = (seed % 2 ** 32) | 0;
  let k1 = Math.floor(seed / 2 ** 32) | 0;
  for (let round = 0; round < 10; round++) {
    const [high0, low0] = multiply(0xd2511f53, c0);
    const [high1, low1] = multiply(0xcd9e8d57, c2);
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
  return [c0, c1, c2, c3];
}

/** High and low words of a 32 x 32 bit product. */
function multiply(a: number, b: number): [number, number] {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  const low = a0 * b0;
  const middle = a1 * b0 + (low >>> 16);
  const cross = a0 * b1 + (middle % 0x10000);
  return [a1 * b1 + Math.floor(middle / 0x10000) + Math.floor(cross / 0x10000), Math.imul(a, b) >>> 0];
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** `count` 32-bit words. */
export function words(count: number, { seed, sample, draw, name }: NoiseKey): Uint32Array {
  const result = new Uint32Array(count);
  const key = fnv1a(name);
  for (let i = 0; i < count; i += 4) result.set(philox([i / 4, sample, draw, key], seed).slice(0, count - i), i);
  return result;
}

/** `count` numbers on (0, 1), exact in float32. */
export function uniforms(count: number, key: NoiseKey): Float32Array {
  return Float32Array.from(words(count, key), word => ((word >>> 9) + 0.5) * 2 ** -23);
}
