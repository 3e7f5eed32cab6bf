// The names alone, for who reads a manifest without scoring: the formulas are loaded when they are used.
export const FORMULAS = [
  'negative-log-likelihood',
  'typicality',
  'likelihood-ratio',
  'input-complexity',
  'complexity',
  'waic',
  'rate',
  'distortion',
  'reconstruction-error',
  'discriminator',
  'mahalanobis',
  'nearest-neighbours',
  'exemplar-likelihood',
  'fusion',
] as const;

export type Formula = (typeof FORMULAS)[number];
