// The Fréchet distance of two sets of features, each taken for a Gaussian (Heusel et al. 2017, eq. 6).
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import type { RowSet } from './row-set.js';

export interface Gaussian {
  readonly mean: readonly number[];
  /** [width][width] */
  readonly covariance: readonly (readonly number[])[];
}

/** Biased upwards in few rows: compare only figures of equally many. */
export function frechetDistance(a: RowSet, b: RowSet): number {
  return gaussianDistance(fitGaussian(a), fitGaussian(b));
}

/** |m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2)): Dowson & Landau 1982, eq. 16. */
export function gaussianDistance(a: Gaussian, b: Gaussian): number {
  const [first, second] = [asMatrix(a.covariance), asMatrix(b.covariance)];
  const root = squareRoot(first);
  // (C1 C2)^(1/2) has the trace of (C1^(1/2) C2 C1^(1/2))^(1/2), which is of a symmetric matrix.
  const product = root.mmul(second).mmul(root);
  const roots = eigen(symmetric(product)).values.reduce((sum, value) => sum + Math.sqrt(Math.max(0, value)), 0);
  const shift = a.mean.reduce((sum, value, i) => sum + (value - b.mean[i]!) ** 2, 0);
  return shift + first.trace() + second.trace() - 2 * roots;
}

/** Mean and covariance, with n - 1. */
export function fitGaussian({ count, width, data }: RowSet): Gaussian {
  const mean = new Array<number>(width).fill(0);
  for (let i = 0; i < data.length; i++) mean[i % width]! += data[i]! / count;
  const covariance = mean.map(() => new Array<number>(width).fill(0));
  const centred = new Float64Array(width);
  for (let row = 0; row < count; row++) {
    for (let i = 0; i < width; i++) centred[i] = data[row * width + i]! - mean[i]!;
    for (let i = 0; i < width; i++) {
      const line = covariance[i]!;
      const scaled = centred[i]! / (count - 1);
      if (scaled !== 0) for (let j = 0; j < width; j++) line[j]! += scaled * centred[j]!;
    }
  }
  return { mean, covariance };
}

function squareRoot(matrix: Matrix): Matrix {
  const { values, vectors } = eigen(matrix);
  const roots = Matrix.diag(values.map(value => Math.sqrt(Math.max(0, value))));
  return vectors.mmul(roots).mmul(vectors.transpose());
}

function eigen(matrix: Matrix): { readonly values: number[]; readonly vectors: Matrix } {
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(matrix, { assumeSymmetric: true });
  return { values: realEigenvalues, vectors: eigenvectorMatrix };
}

/** Without what rounding put on one side alone. */
const symmetric = (matrix: Matrix): Matrix => Matrix.add(matrix, matrix.transpose()).div(2);
const asMatrix = (rows: Gaussian['covariance']): Matrix => new Matrix(rows.map(row => [...row]));
