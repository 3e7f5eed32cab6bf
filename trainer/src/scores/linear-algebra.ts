// Covariances and their triangles, in float64. Matrices are arrays of rows.

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export function covarianceOf(rows: readonly Float64Array[]): { mean: Float64Array; covariance: Float64Array[] } {
  const size = rows[0]!.length;
  const mean = new Float64Array(size);
  for (const row of rows) for (let i = 0; i < size; i++) mean[i]! += row[i]! / rows.length;
  const covariance = Array.from({ length: size }, () => new Float64Array(size));
  for (const row of rows)
    for (let i = 0; i < size; i++)
      for (let j = 0; j < size; j++)
        covariance[i]![j]! += ((row[i]! - mean[i]!) * (row[j]! - mean[j]!)) / Math.max(1, rows.length - 1);
  return { mean, covariance };
}

/** L with L L^T = the symmetric positive definite matrix (Cholesky). */
export function lowerTriangle(matrix: readonly Float64Array[]): Float64Array[] {
  const size = matrix.length;
  const lower = Array.from({ length: size }, () => new Float64Array(size));
  for (let i = 0; i < size; i++)
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i]![j]!;
      for (let k = 0; k < j; k++) sum -= lower[i]![k]! * lower[j]![k]!;
      lower[i]![j] = i === j ? Math.sqrt(sum) : sum / lower[j]![j]!;
    }
  return lower;
}

/** Of a lower triangular matrix, by forward substitution. */
export function inverse(lower: readonly Float64Array[]): Float64Array[] {
  const size = lower.length;
  const result = Array.from({ length: size }, () => new Float64Array(size));
  for (let column = 0; column < size; column++)
    for (let i = column; i < size; i++) {
      let sum = i === column ? 1 : 0;
      for (let k = column; k < i; k++) sum -= lower[i]![k]! * result[k]![column]!;
      result[i]![column] = sum / lower[i]![i]!;
    }
  return result;
}
