// Means over rows, and how sure they are.

export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

/** Variance of a sample, with n - 1; 0 for fewer than two values. */
export function variance(values: ArrayLike<number>): number {
  if (values.length < 2) return 0;
  const average = mean(values);
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += (values[i]! - average) ** 2;
  return squares / (values.length - 1);
}

/** Of the mean. */
export function standardError(values: ArrayLike<number>): number {
  return Math.sqrt(variance(values) / values.length);
}
