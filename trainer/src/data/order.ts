// Deterministic shuffling: permutations keyed by a seed, a name and a number (an epoch), never by what ran before.
import { words } from './random.js';

/** The numbers 0 ... count-1 in an order drawn by (seed, name, draw): Fisher-Yates from the last place down. */
export function permutation(count: number, seed: number, name: string, draw = 0): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  const random = words(Math.max(0, count - 1), { seed, sample: 0, draw, name });
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor((random[count - 1 - last]! / 2 ** 32) * (last + 1));
    const value = order[last]!;
    order[last] = order[other]!;
    order[other] = value;
  }
  return order;
}
