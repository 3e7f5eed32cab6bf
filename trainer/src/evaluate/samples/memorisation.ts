// Whether samples are copies of training rows: how near the nearest is, against how near it is to rows never trained on.
import type { Distance } from '../distance.js';
import type { RowSet } from './row-set.js';

/** The distance of each of some rows to its nearest among rows that are shown part by part. */
export class NearestDistances {
  readonly distances: Float64Array;

  constructor(
    readonly rows: RowSet,
    readonly distance: Distance,
  ) {
    this.distances = new Float64Array(rows.count).fill(Number.POSITIVE_INFINITY);
  }

  see(others: RowSet): void {
    const { count, width, data } = this.rows;
    for (let row = 0; row < count; row++) {
      let nearest = this.distances[row]!;
      for (let other = 0; other < others.count; other++)
        nearest = Math.min(nearest, this.distance(data, row * width, others.data, other * width, width, nearest));
      this.distances[row] = nearest;
    }
  }
}

export interface Memorisation {
  /** Median distance of samples to their nearest training rows. */
  readonly sampleMedian: number;
  /** The distance below which the nearest training row of 5 % of test rows lies. */
  readonly testQuantile: number;
  /** Whether half of the samples are nearer to training rows than all but 5 % of test rows are. */
  readonly memorised: boolean;
}

/** From distances to the nearest training row. */
export function memorisation(samples: ArrayLike<number>, test: ArrayLike<number>): Memorisation {
  const [sampleMedian, testQuantile] = [quantile(samples, 0.5), quantile(test, 0.05)];
  return { sampleMedian, testQuantile, memorised: sampleMedian < testQuantile };
}

/** Between the two nearest ranks, linearly. */
function quantile(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(values).sort();
  const place = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!];
  return below + (place - Math.floor(place)) * (above - below);
}
