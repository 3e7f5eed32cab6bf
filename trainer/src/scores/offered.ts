// Which anomaly scores a bundle offers: those that its operations and its domain allow.
import { domainSize, findOperation, inputsOf, type Manifest, type Score } from '@genserve/runtime';
import { GRADIENT_NORMS } from './gradient-norms.js';

const DRAWS_OF_BOUND = 10;
/** Longest feature or code whose covariance is stored. */
const LONGEST_FEATURE = 512;
const NEIGHBOURS = 5;
const FEATURE_BANK = 'tables/feature-bank.npy';
const GRADIENT_COVARIANCE = 'tables/gradient-norm-covariance.npy';
/** -log p(x | label) */
const LABEL_SCORE = 'negative-log-likelihood-of-label';

/** Before tables and parameters are fitted. A fusion, where there are several statistics to weigh, is the last. */
export function offeredScores(manifest: Manifest): Score[] {
  const { operations, likelihood, domain } = manifest;
  const has = (name: string) => operations.some(operation => operation.name === name);
  const kind = likelihood?.kind ?? 'none';
  const draws = kind === 'bound' ? DRAWS_OF_BOUND : 1;
  const likelihoods = kind !== 'none' && has('log_prob');
  /** Of the data themselves: bits of a picture and bits of its codes do not compare. */
  const ofData = likelihoods && kind !== 'codes';
  const levels = domain?.image?.levels ?? 0;
  const feature = has('features') ? 'features' : 'encode';
  // Codes are names, which have no mean.
  const isFeature = has(feature) && findOperation(manifest, feature).outputs[0]!.role !== 'codes';
  const featureSize = isFeature ? sizeOfFirstOutput(manifest, feature) : 0;
  /** A code smaller than the datum: what is reconstructed has passed a bottleneck. */
  const bottleneck = has('encode') && sizeOfFirstOutput(manifest, 'encode') < domainSize(domain);
  /** A bound that is told as what the code costs and what it does not explain. */
  const isSplit = kind === 'bound' && bottleneck && has('log_prob_map');
  const ensemble = operations.map(({ name }) => name).filter(name => /^log_prob\.\d+$/.test(name));
  const short = featureSize > 0 && featureSize <= LONGEST_FEATURE;

  const offered: (Score | false)[] = [
    likelihoods && score('negative-log-likelihood', ['log_prob'], { draws }),
    likelihoods && score('typicality', ['log_prob'], { draws }),
    ofData && levels > 1 && score('input-complexity', ['log_prob'], { draws }),
    levels > 1 && score('complexity', []),
    likelihoods &&
      has('background_log_prob') &&
      score('likelihood-ratio', ['log_prob', 'background_log_prob'], { draws }),
    ensemble.length > 0 && score('waic', ['log_prob', ...ensemble], { draws }),
    isSplit && score('rate', ['log_prob', 'log_prob_map'], { draws }),
    isSplit && score('distortion', ['log_prob_map'], { draws }),
    has('reconstruct') && bottleneck && score('reconstruction-error', ['reconstruct']),
    has('critic') && score('discriminator', ['critic']),
    short && score('mahalanobis', [feature], { tables: ['tables/feature-covariance.npy'] }),
    ofData &&
      has(GRADIENT_NORMS) &&
      score('mahalanobis', [GRADIENT_NORMS], { name: 'gradient-norms', draws: 1, tables: [GRADIENT_COVARIANCE] }),
    short && score('nearest-neighbours', [feature], { tables: [FEATURE_BANK], parameters: { k: NEIGHBOURS } }),
    isSplit &&
      short &&
      levels > 1 &&
      score('exemplar-likelihood', [feature, 'log_prob_map'], { draws, tables: [FEATURE_BANK] }),
  ];
  // After the others, as a request that names no score has no label to give.
  const ofLabel =
    likelihoods &&
    inputsOf(findOperation(manifest, 'log_prob'), 'label').length > 0 &&
    score('negative-log-likelihood', ['log_prob'], { name: LABEL_SCORE, draws, usesLabel: true });
  const scores = offered.filter(candidate => candidate !== false);
  // What a datum is by itself is there to be compared with what a model makes of it.
  if (scores.every(({ operations }) => operations.length === 0)) return [];
  // Typicality is a function of the likelihood alone.
  const statistics = scores.map(({ name }) => name).filter(name => name !== 'typicality');
  return [
    ...scores,
    ...(statistics.length > 1 ? [score('fusion', [], { tables: ['tables/fusion-densities.npy'], statistics })] : []),
    ...(ofLabel ? [ofLabel] : []),
  ];
}

function score(formula: string, operations: string[], more: Partial<Score> = {}): Score {
  return {
    name: formula,
    formula,
    operations,
    parameters: {},
    draws: 1,
    seed: 0,
    tables: [],
    calibration: undefined,
    recommended: false,
    statistics: [],
    usesLabel: false,
    ...more,
  };
}

/** Numbers of one row. */
export function sizeOfFirstOutput(manifest: Manifest, operation: string): number {
  const [port] = findOperation(manifest, operation).outputs;
  return port!.shape.slice(1).reduce((product, length) => product * length, 1);
}
