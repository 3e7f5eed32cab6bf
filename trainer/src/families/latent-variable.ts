// What models with one Gaussian code share, whatever their decoder: the bound that they are trained by and the weight of
// one draw (Kingma & Welling 2013; Burda et al. 2016).
import type { Tensor } from '@tensorflow/tfjs';
import {
  type DiagonalGaussian,
  gaussianLogProb,
  klToStandardNormal,
  reparameterise,
  standardNormalLogProb,
} from '../distributions/gaussian.js';
import { sumPerRow } from '../distributions/reduce.js';
import type { NoiseSpec, StepSpec } from '../family.js';
import type { Variable } from '../nn/variable.js';
import { tf } from '../trace/tensorflow.js';

export interface LatentVariableModel {
  /** q(z | x) of data [batch, ...]: mean and log deviation [batch, latent]. */
  posterior(x: Tensor): DiagonalGaussian;
  /** log p(x | z), nats, of each element of x, for codes [batch, latent]. */
  logLikelihoodMap(x: Tensor, code: Tensor): Tensor;
}

/** q(z | x) = N(mean, diag(deviation^2)) from a network that gives both side by side, [batch, 2 * latent]. */
export function gaussianPosterior(encoder: (x: Tensor) => Tensor): (x: Tensor) => DiagonalGaussian {
  return x => {
    const [mean, logDeviation] = tf.split(encoder(x), 2, 1) as [Tensor, Tensor]; // two, as asked for
    return { mean, logDeviation };
  };
}

export interface ElboStepOptions {
  readonly parameters: readonly Variable[];
  /** The noise that a code is drawn with, normal [latent]. */
  readonly epsilon: NoiseSpec;
  /** Steps over which the weight of the KL term rises from 0 to 1 (Sønderby et al. 2016); 0 for none. */
  readonly warmUpSteps: number;
}

/** The estimator of Kingma & Welling 2013, eq. 10: the KL term in closed form, one draw of z, mean over the batch. */
export function elboStep(
  { posterior, logLikelihoodMap }: LatentVariableModel,
  { parameters, epsilon, warmUpSteps }: ElboStepOptions,
): StepSpec {
  return {
    name: 'elbo',
    parameters,
    noises: [epsilon],
    rowsApart: true,
    coefficients: { klWeight: step => (warmUpSteps === 0 ? 1 : Math.min(1, step / warmUpSteps)) },
    loss({ data, noise, coefficients }) {
      const q = posterior(data);
      const drawn = reparameterise(q, noise[epsilon.name]!);
      const reconstruction = tf.neg(tf.mean(sumPerRow(logLikelihoodMap(data, drawn))));
      const kl = tf.mean(klToStandardNormal(q));
      const loss = tf.add(reconstruction, tf.mul(coefficients.klWeight!, kl));
      return { loss, metrics: { reconstruction, kl, negativeElbo: tf.add(reconstruction, kl) } };
    },
  };
}

/** log p(x | z) + log p(z) - log q(z | x) of one draw, nats, [batch]: the log-weight of Burda et al. 2016, eq. 8. */
export function logWeight({ posterior, logLikelihoodMap }: LatentVariableModel, x: Tensor, epsilon: Tensor): Tensor {
  const q = posterior(x);
  const drawn = reparameterise(q, epsilon);
  const logJoint = tf.add(sumPerRow(logLikelihoodMap(x, drawn)), standardNormalLogProb(drawn));
  return tf.sub(logJoint, gaussianLogProb(q, drawn));
}

/** noise * temperature, one temperature per row. */
export function perRow(noise: Tensor, temperature: Tensor): Tensor {
  return tf.mul(noise, tf.reshape(temperature, [-1, 1]));
}
