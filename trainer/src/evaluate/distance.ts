// Distances between rows of flat arrays. A sum that has reached `limit` is not followed to its end.

/** Of `width` numbers of each array, from `aStart` and `bStart` on; at least `limit` where the true one is. */
export type Distance = (
  a: Float32Array,
  aStart: number,
  b: Float32Array,
  bStart: number,
  width: number,
  limit: number,
) => number;

/** The square of the Euclidean distance. */
export const squaredDistance: Distance = (a, aStart, b, bStart, width, limit) => {
  let sum = 0;
  for (let i = 0; i < width && sum < limit; i++) sum += (a[aStart + i]! - b[bStart + i]!) ** 2;
  return sum;
};

/** The sum of absolute differences. */
export const absoluteDistance: Distance = (a, aStart, b, bStart, width, limit) => {
  let sum = 0;
  for (let i = 0; i < width && sum < limit; i++) sum += Math.abs(a[aStart + i]! - b[bStart + i]!);
  return sum;
};
