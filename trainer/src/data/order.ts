// Deterministic shuffling: permutations keyed by a seed, a name and a number (an epoch), never by what ran before.

/** Philox 4x32-10 (Salmon et al. 2011): one block of four words for one counter and key. */
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

/** The numbers 0 ... count-1 in an order drawn by (seed, name, draw): Fisher-Yates from the last place down. */
export function permutation(count: number, seed: number, name: string, draw = 0): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  const key = fnv1a(name);
  let words: readonly number[] = [];
  for (let last = count - 1, step = 0; last > 0; last--, step++) {
    if (step % 4 === 0) words = philox([step / 4, 0, draw, key], seed);
    const other = Math.floor((words[step % 4]! / 2 ** 32) * (last + 1));
    const value = order[last]!;
    order[last] = order[other]!;
    order[other] = value;
  }
  return order;
}
