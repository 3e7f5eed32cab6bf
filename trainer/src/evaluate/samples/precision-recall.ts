// Improved precision and recall (Kynkäänniemi et al. 2019, sec. 2): how much of the samples lies among the data, and how
// much of the data among the samples.
import { squaredDistance } from '../distance.js';
import type { RowSet } from './row-set.js';

export interface PrecisionRecall {
  /** Shares, 0 to 1. */
  readonly precision: number;
  readonly recall: number;
}

/** The paper's. */
const NEIGHBOURS = 3;

/** Work grows with the square of the rows: the caller caps them, the same number on both sides. */
export function precisionRecall(samples: RowSet, data: RowSet, neighbours = NEIGHBOURS): PrecisionRecall {
  return {
    precision: shareWithin(samples, data, neighbours),
    recall: shareWithin(data, samples, neighbours),
  };
}

/** Share of `rows` within a ball around some row of `centres` that reaches to that row's k-th neighbour. */
function shareWithin(rows: RowSet, centres: RowSet, neighbours: number): number {
  const radii = neighbourRadii(centres, neighbours);
  const { width } = rows;
  let inside = 0;
  for (let row = 0; row < rows.count; row++)
    for (let centre = 0; centre < centres.count; centre++) {
      const radius = radii[centre]!;
      // Up to the next number above the radius: a row on the ball's surface is inside.
      const limit = radius * (1 + Number.EPSILON) + Number.MIN_VALUE;
      if (squaredDistance(rows.data, row * width, centres.data, centre * width, width, limit) > radius) continue;
      inside++;
      break;
    }
  return inside / rows.count;
}

/** The squared distance of each row to its k-th nearest among the others. */
function neighbourRadii(rows: RowSet, neighbours: number): Float64Array {
  const { count, width, data } = rows;
  return Float64Array.from({ length: count }, (_, row) => {
    const nearest = new Array<number>(neighbours).fill(Number.POSITIVE_INFINITY);
    for (let other = 0; other < count; other++) {
      if (other === row) continue;
      const distance = squaredDistance(data, row * width, data, other * width, width, nearest.at(-1)!);
      const place = nearest.findIndex(each => distance < each);
      if (place < 0) continue;
      nearest.splice(place, 0, distance);
      nearest.pop();
    }
    return nearest.at(-1)!;
  });
}
