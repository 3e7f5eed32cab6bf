// p(x | z) for images whose pixels are independent given z: which numbers a network gives per channel, what they mean.
import type { ImageDomain } from '@genserve/runtime';
import { GenserveError } from '@genserve/runtime';
import type { Tensor } from '@tensorflow/tfjs';
import { bernoulliLogProbMap, bernoulliMean } from './bernoulli.js';

export const likelihoodNames = ['bernoulli'] as const;
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

export function pixelLikelihood(name: LikelihoodName, image: ImageDomain): PixelLikelihood {
  const dimensions = image.height * image.width * image.channels;
  switch (name) {
    case 'bernoulli':
      if (image.levels !== 2)
        throw new GenserveError(
          'CONFIGURATION_INVALID',
          `likelihood: bernoulli needs binary images, these have ${image.levels} levels; binarise the data`,
          { field: 'configuration.likelihood' },
        );
      return {
        parametersPerChannel: 1,
        logProbMap: bernoulliLogProbMap,
        mean: bernoulliMean,
        measure: `counting measure on {0,1}^${dimensions}`,
      };
  }
}
