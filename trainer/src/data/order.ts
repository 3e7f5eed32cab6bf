// Deterministic shuffling: permutations keyed by a seed, a name and a number (an epoch), never by what ran before.
import { NoiseStream } from '@genserve/runtime';

/** The numbers 0 ... count-1 in an order drawn by (seed, name, draw): Fisher-Yates from the last place down. */
export function permutation(count: number, seed: number, name: string, draw = 0): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  const random = new Float32Array(count);
  new NoiseStream(seed, name, 'uniform').fill(random, 0, draw);
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor(random[last]! * (last + 1));
    const value = order[last]!;
    order[last] = order[other]!;
    order[other] = value;
  }
  return order;
}
