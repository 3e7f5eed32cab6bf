// The likelihood of a datum whose code should lie near those of normal data, against what the datum takes by itself.
import { squaredNeighbourDistances } from './features.js';
import { perRow, type ScoreFormula } from './formula.js';
import { codeLengths, distortions } from './likelihood.js';

/**
 * (-log p(x|z) + |c - b|^2 / 2 s^2) / L(x): c is the code of x, b the nearest of the table of normal codes, s^2 the parameter
 * `variance`. The numerator is the negative bound under a prior made of those codes, its greatest term alone and without
 * constants (Norouzi et al. 2020, "Exemplar VAE"): a Gaussian prior lets pass what lies between the classes. It grows with
 * the complexity of a picture, and so is taken per bit of that, where Serrà et al. 2020 subtract. Operations: encode and
 * log_prob_map.
 */
export const exemplarLikelihood: ScoreFormula = {
  unit: 'nats per bit',
  async compute(context) {
    const { operations, parameters } = context.score;
    const { variance = 1 } = parameters;
    const [distances, local] = [
      await squaredNeighbourDistances(context, 1),
      await distortions(context, operations[1] ?? 'log_prob_map'),
    ];
    const lengths = codeLengths(context);
    return perRow(context, row => (local[row]! + distances[row]! / (2 * variance)) / lengths[row]!);
  },
};
