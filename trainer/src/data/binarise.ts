// Binarisation of grey rows as their domain states it, with noise keyed by seed, row and step.
import { type Domain, NoiseStream } from '@genserve/runtime';

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
  const noise = new Float32Array(rowSize);
  const stream = new NoiseStream(key.seed, binarisationNoise, 'uniform');
  key.samples.forEach((sample, row) => {
    stream.fill(noise, sample, key.draw);
    const from = row * rowSize;
    for (let i = 0; i < rowSize; i++) result[from + i] = noise[i]! < rows[from + i]! ? 1 : 0;
  });
  return result;
}
