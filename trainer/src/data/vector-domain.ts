// Domains of vectors, with the constants by which a family standardises them.
import type { Domain } from '@genserve/runtime';

/**
 * Rows stay in their own units; `mean` and `deviation` of each column are constants for the graph. A column that
 * does not vary has deviation 1, so that it standardises to 0.
 */
export function vectorDomain(values: Float32Array, names: readonly string[], labels: readonly string[]): Domain {
  const columns = names.length;
  const rows = values.length / columns;
  const mean = names.map((_, column) => {
    let sum = 0;
    for (let i = column; i < values.length; i += columns) sum += values[i]!;
    return sum / rows;
  });
  const deviation = names.map((_, column) => {
    let sum = 0;
    for (let i = column; i < values.length; i += columns) sum += (values[i]! - mean[column]!) ** 2;
    return Math.sqrt(sum / rows) || 1;
  });
  return { vector: { names: [...names], mean, deviation, labels: [...labels] } };
}
