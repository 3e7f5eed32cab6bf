// Scores made of log-likelihoods. Units matter: all are of whole data, in nats or in bits, never per dimension.
import { elbo, iwae } from '../estimators.js';
import { codeLength } from './code-length.js';
import { perRow, rowOf, type ScoreContext, type ScoreFormula } from './formula.js';

/** log p(x) in nats: exact, or the importance-weighted bound of the score's draws; parameter `elbo` = 1: the plain bound. */
async function logProb(context: ScoreContext, operation = context.score.operations[0] ?? 'log_prob') {
  const estimate = context.score.parameters.elbo === 1 ? elbo : iwae;
  return Float64Array.from(await context.logWeights(operation), row => estimate(row).logProb);
}

/** -log p(x): improbable under the model (Bishop 1994, "Novelty detection and neural network validation"). */
export const negativeLogLikelihood: ScoreFormula = {
  unit: 'nats',
  compute: async context => (await logProb(context)).map(value => -value),
};

/** |-log p(x) - H|, H = parameter `entropy`, the mean of normal data (Nalisnick et al. 2019, "typicality", batch of one). */
export const typicality: ScoreFormula = {
  unit: 'nats',
  async compute(context) {
    const { entropy = 0 } = context.score.parameters;
    return (await logProb(context)).map(value => Math.abs(-value - entropy));
  },
};

/** log p_background(x) - log p(x): what the background explains as well is no evidence (Ren et al. 2019, eq. 5). */
export const likelihoodRatio: ScoreFormula = {
  unit: 'nats',
  async compute(context) {
    const [model = 'log_prob', background = 'background_log_prob'] = context.score.operations;
    const [ours, theirs] = [await logProb(context, model), await logProb(context, background)];
    return ours.map((value, row) => theirs[row]! - value);
  },
};

/** Bits that `codeLength` takes for the datum at the domain's levels. */
export const complexity: ScoreFormula = {
  unit: 'bits',
  compute: async context => codeLengths(context),
};

/** Bits of each row. */
export function codeLengths(context: ScoreContext): Float64Array {
  const { image } = context.manifest.domain ?? {};
  return context.shared('code lengths', () => perRow(context, row => codeLength(rowOf(context.data, row), image)));
}

/** -log2 p(x) - L(x), both in bits for the whole datum (Serrà et al. 2020, eq. 1). */
export const inputComplexity: ScoreFormula = {
  unit: 'bits',
  async compute(context) {
    const [logProbs, lengths] = [await logProb(context), codeLengths(context)];
    return logProbs.map((value, row) => -value / Math.LN2 - lengths[row]!);
  },
};

/** Var[log p(x)] - E[log p(x)] over the models of an ensemble (Choi et al. 2018, eq. 3); the variance in square nats. */
export const watanabeAkaike: ScoreFormula = {
  unit: 'nats',
  async compute(context) {
    const members: Float64Array[] = [];
    for (const operation of context.score.operations) members.push(await logProb(context, operation));
    return perRow(context, row => {
      const values = members.map(member => member[row]!);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length - mean;
    });
  },
};

/** Mean over the draws of log q(z|x) - log p(z), nats: what the code costs (the rate of Alemi et al. 2018). */
export const rate: ScoreFormula = {
  unit: 'nats',
  async compute(context) {
    const [joint = 'log_prob', local = 'log_prob_map'] = context.score.operations;
    const [weights, maps] = [await context.logWeights(joint), await context.logWeights(local)];
    return perRow(context, row => elbo(maps[row]!).logProb - elbo(weights[row]!).logProb);
  },
};

/** Mean over the draws of -log p(x|z), nats: what the code does not explain (the distortion of Alemi et al. 2018). */
export const distortion: ScoreFormula = {
  unit: 'nats',
  compute: context => distortions(context, context.score.operations[0] ?? 'log_prob_map'),
};

export async function distortions(context: ScoreContext, operation: string): Promise<Float64Array> {
  const maps = await context.logWeights(operation);
  return perRow(context, row => -elbo(maps[row]!).logProb);
}
