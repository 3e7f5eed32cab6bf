// What a bundle computes, as one hash.
import type { Manifest } from '@genserve/runtime';
import { sha256 } from '../data/hash.js';

/** SHA-256 of the hashes of its graphs and weights: the same for equal models, whatever their names and descriptions. */
export function modelHash({ files, operations }: Manifest): string {
  const parts = files.filter(({ path }) => path === 'weights.bin' || operations.some(({ file }) => file === path));
  return sha256(...parts.map(file => file.sha256));
}
