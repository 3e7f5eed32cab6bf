// The closed list of formulas: a manifest's `formula` is one of these names (contract, section 8).
import { fusion } from './density.js';
import { exemplarLikelihood } from './exemplar.js';
import { discriminator, mahalanobis, nearestNeighbours, reconstructionError } from './features.js';
import type { ScoreFormula } from './formula.js';
import type { Formula } from './formula-names.js';
import {
  complexity,
  distortion,
  inputComplexity,
  likelihoodRatio,
  negativeLogLikelihood,
  rate,
  typicality,
  watanabeAkaike,
} from './likelihood.js';

export const SCORES: Readonly<Record<Formula, ScoreFormula>> = {
  'negative-log-likelihood': negativeLogLikelihood,
  typicality,
  'likelihood-ratio': likelihoodRatio,
  'input-complexity': inputComplexity,
  complexity,
  waic: watanabeAkaike,
  rate,
  distortion,
  'reconstruction-error': reconstructionError,
  discriminator,
  mahalanobis,
  'nearest-neighbours': nearestNeighbours,
  'exemplar-likelihood': exemplarLikelihood,
  fusion,
};
