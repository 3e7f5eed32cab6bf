// p(x | z) for images whose pixels are independent given z: which numbers a network gives per channel, what they mean.
import type { ImageDomain } from '@genserve/runtime';
import { GenserveError } from '@genserve/runtime';
import type { Tensor } from '@tensorflow/tfjs';
import { sigmoid } from '../nn/activations.js';
import { tf } from '../trace/tensorflow.js';
import { bernoulliLogProbMap, bernoulliMean } from './bernoulli.js';
import { categoricalLogProbMap, categoricalMean } from './categorical.js';
import { discretisedLogisticLogProbMap } from './discretised-logistic.js';
import { type DiagonalGaussian, gaussianLogProbMap } from './gaussian.js';

export const likelihoodNames = ['bernoulli', 'gaussian', 'discretised-logistic', 'categorical-256'] as const;
export type LikelihoodName = (typeof likelihoodNames)[number];

export interface PixelLikelihood {
  /** Numbers that the network gives for each channel of each pixel. */
  readonly parametersPerChannel: number;
  /** Log-probability of each element of x, [batch, height, width, channels], from [..., channels * parametersPerChannel]. */
  logProbMap(parameters: Tensor, x: Tensor): Tensor;
  /** E[x | z], in [0, 1]. */
  mean(parameters: Tensor): Tensor;
  /** What the probabilities are of, for the manifest. */
  readonly measure: string;
}

/** Throws CONFIGURATION_INVALID where the images have not the levels that the likelihood is for. */
export function pixelLikelihood(name: LikelihoodName, image: ImageDomain): PixelLikelihood {
  const { height, width, channels, levels } = image;
  const dimensions = height * width * channels;
  const needs = (found: boolean, wanted: string) => {
    if (found) return;
    throw new GenserveError(
      'CONFIGURATION_INVALID',
      `configuration.likelihood: ${name} needs ${wanted}, these have ${levels} levels`,
      { field: 'configuration.likelihood' },
    );
  };
  const counting = `counting measure on {0,...,${levels - 1}}^${dimensions}`;
  switch (name) {
    case 'bernoulli':
      needs(levels === 2, 'binary images');
      return {
        parametersPerChannel: 1,
        logProbMap: bernoulliLogProbMap,
        mean: bernoulliMean,
        measure: `counting measure on {0,1}^${dimensions}`,
      };
    case 'gaussian': {
      // A bin of a quantised image has the density at its middle times its width, to which the deviation is kept wide.
      const binWidth = levels > 1 ? 1 / (levels - 1) : 1;
      const gaussian = (parameters: Tensor): DiagonalGaussian => {
        const [mean, spread] = halves(parameters, channels);
        return { mean: sigmoid(mean), logDeviation: atLeast(spread, Math.log(levels > 1 ? binWidth : 0.01)) };
      };
      return {
        parametersPerChannel: 2,
        logProbMap: (parameters, x) => tf.add(gaussianLogProbMap(gaussian(parameters), x), Math.log(binWidth)),
        mean: parameters => gaussian(parameters).mean,
        measure: levels > 1 ? counting : `Lebesgue measure on [0,1]^${dimensions}`,
      };
    }
    case 'discretised-logistic':
      needs(levels > 2, 'quantised images of more than 2 levels');
      return {
        parametersPerChannel: 2,
        logProbMap(parameters, x) {
          const [mean, spread] = halves(parameters, channels);
          // Salimans et al. 2017 keep the log scale above -7 in units of half the range.
          return discretisedLogisticLogProbMap(sigmoid(mean), atLeast(spread, -7 - Math.log(2)), x, levels);
        },
        mean: parameters => sigmoid(halves(parameters, channels)[0]),
        measure: counting,
      };
    case 'categorical-256': {
      needs(levels === 256, 'images of 256 levels');
      const logits = (parameters: Tensor) => tf.reshape(parameters, [-1, height, width, channels, levels]);
      return {
        parametersPerChannel: levels,
        logProbMap: (parameters, x) => categoricalLogProbMap(logits(parameters), x),
        mean: parameters => categoricalMean(logits(parameters)),
        measure: counting,
      };
    }
  }
}

/** [..., 2 * channels] -> twice [..., channels]. */
function halves(parameters: Tensor, channels: number): [Tensor, Tensor] {
  const [first, second] = tf.split(parameters, [channels, channels], -1);
  if (!first || !second) throw new Error('split gave fewer parts than it was asked for');
  return [first, second];
}

/** max(x, least), from an op that has gradients of every order. */
function atLeast(x: Tensor, least: number): Tensor {
  return tf.add(tf.relu(tf.sub(x, least)), least);
}
