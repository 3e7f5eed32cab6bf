// Binarisation of grey rows as their domain states it, with noise keyed by seed, row and step.
import { type Domain, NoiseStream } from '@genserve/runtime';

/** Elements that the generator makes at once. */
const BLOCK = 4;

/** Noise name of the dynamic draw. */
export const binarisationNoise = 'binarisation';

export interface BinarisationKey {
  readonly seed: number;
  /** The training step; 0 for evaluation. */
  readonly draw: number;
  /** Sample index of each row: its place in the batch while training, its index in the split in evaluation. */
  readonly samples: readonly number[];
}

/**
 * Rows [samples, ...domain] as the model takes them: drawn from Bernoulli(grey) where the domain says 'dynamic'
 * (Salakhutdinov & Murray 2008), >= 0.5 for 'threshold', otherwise the rows themselves.
 */
export function binarise(
  rows: Float32Array<ArrayBuffer>,
  domain: Domain,
  key: BinarisationKey,
): Float32Array<ArrayBuffer> {
  const mode = domain.image?.binarisation ?? 'none';
  if (mode === 'threshold') return rows.map(value => (value >= 0.5 ? 1 : 0));
  if (mode !== 'dynamic') return rows;
  const rowSize = rows.length / key.samples.length;
  const result = new Float32Array(rows.length);
  const noise = new Float32Array(BLOCK);
  const stream = new NoiseStream(key.seed, binarisationNoise, 'uniform');
  key.samples.forEach((sample, row) => {
    const from = row * rowSize;
    for (let start = 0; start < rowSize; start += BLOCK) {
      const end = Math.min(start + BLOCK, rowSize);
      let drawn = false;
      for (let i = start; i < end; i++) {
        const value = rows[from + i]!;
        // Uniforms lie strictly between 0 and 1: black and white pixels need none, and most blocks of a digit are black.
        if (value > 0 && value < 1 && !drawn) {
          stream.fill(noise, sample, key.draw, start);
          drawn = true;
        }
        result[from + i] = drawn ? Number(noise[i - start]! < value) : value;
      }
    }
  });
  return result;
}
