// The names of the anomaly scores, apart from what computes them, which a page need not download to read a manifest.

/** The closed list: a manifest's `formula` is one of these (contract, section 8). */
export const FORMULAS = ['negative-log-likelihood', 'reconstruction-error'] as const;

export type Formula = (typeof FORMULAS)[number];
