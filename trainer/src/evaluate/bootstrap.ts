// How far a figure of a ranking would move with another draw of test rows.
import { NoiseStream } from '@genserve/runtime';

/**
 * Average precision of `resamples` bootstrap samples (Efron 1979): rows are drawn with replacement, normal ones and
 * anomalies apart, so that every sample has the same skew. Equal scores are taken in order of row.
 */
export function bootstrapAupr(
  normal: ArrayLike<number>,
  anomalous: ArrayLike<number>,
  resamples: number,
  seed: number,
): Float64Array {
  const order = [
    ...Array.from(normal, (value, row) => ({ value, row, positive: false })),
    ...Array.from(anomalous, (value, row) => ({ value, row, positive: true })),
  ].sort((a, b) => b.value - a.value);
  return Float64Array.from({ length: resamples }, (_, sample) => {
    const times = {
      normal: draw(normal.length, 'normal', sample),
      anomalous: draw(anomalous.length, 'anomalous', sample),
    };
    let [ranked, hits, sum] = [0, 0, 0];
    for (const { row, positive } of order) {
      const count = positive ? times.anomalous[row]! : times.normal[row]!;
      for (let i = 0; i < count; i++) {
        ranked++;
        if (positive) sum += ++hits / ranked;
      }
    }
    return sum / anomalous.length;
  });

  /** How often each of `count` rows is drawn. */
  function draw(count: number, name: string, sample: number): Int32Array {
    const uniform = new Float32Array(count);
    new NoiseStream(seed, `bootstrap/${name}`, 'uniform').fill(uniform, sample);
    const result = new Int32Array(count);
    for (const value of uniform) result[Math.floor(value * count)]! += 1;
    return result;
  }
}

/** The middle `share` of values. */
export function interval(values: ArrayLike<number>, share = 0.95): readonly [number, number] {
  const sorted = Float64Array.from(values).sort();
  const at = (quantile: number) => sorted[Math.round(quantile * (sorted.length - 1))]!;
  return [at((1 - share) / 2), at((1 + share) / 2)];
}
