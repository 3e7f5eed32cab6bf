// Small matrices of plain numbers, row-major in float64: what initialisers need and no graph ever computes.

export interface TriangularFactors {
  /** n x n: matrix = permutation * lower * upper, `lower` with ones on its diagonal. */
  readonly permutation: Float64Array;
  readonly lower: Float64Array;
  readonly upper: Float64Array;
}

/** The orthogonal factor of n^2 normal numbers: a rotation (or reflection) drawn uniformly. Rows by Gram and Schmidt. */
export function randomRotation(normals: ArrayLike<number>, n: number): Float64Array {
  const matrix = Float64Array.from(normals);
  for (let i = 0; i < n; i++) {
    const row = matrix.subarray(i * n, (i + 1) * n);
    // Twice, as what the first pass leaves over is rounding of the size of its input.
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < i; j++) {
        const other = matrix.subarray(j * n, (j + 1) * n);
        const along = dot(row, other);
        for (let k = 0; k < n; k++) row[k]! -= along * other[k]!;
      }
    }
    const length = Math.sqrt(dot(row, row));
    for (let k = 0; k < n; k++) row[k]! /= length;
  }
  return matrix;
}

/** LU decomposition with partial pivoting. */
export function triangularFactors(matrix: Float64Array, n: number): TriangularFactors {
  const upper = Float64Array.from(matrix);
  const lower = new Float64Array(n * n);
  const order = Array.from({ length: n }, (_, i) => i);
  for (let column = 0; column < n; column++) {
    let pivot = column;
    for (let row = column + 1; row < n; row++)
      if (Math.abs(upper[row * n + column]!) > Math.abs(upper[pivot * n + column]!)) pivot = row;
    swapRows(upper, n, column, pivot);
    swapRows(lower, n, column, pivot);
    [order[column], order[pivot]] = [order[pivot]!, order[column]!];
    for (let row = column + 1; row < n; row++) {
      const factor = upper[row * n + column]! / upper[column * n + column]!;
      lower[row * n + column] = factor;
      for (let k = column; k < n; k++) upper[row * n + k]! -= factor * upper[column * n + k]!;
    }
  }
  const permutation = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    lower[i * n + i] = 1;
    permutation[order[i]! * n + i] = 1;
  }
  return { permutation, lower, upper };
}

function swapRows(matrix: Float64Array, n: number, a: number, b: number): void {
  for (let k = 0; k < n; k++) [matrix[a * n + k], matrix[b * n + k]] = [matrix[b * n + k]!, matrix[a * n + k]!];
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k]! * b[k]!;
  return sum;
}
