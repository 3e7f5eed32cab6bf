// Gaussian variables with diagonal covariance, by mean and log standard deviation.
import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import { exp } from '../nn/activations.js';
import { tf } from '../trace/tensorflow.js';
import { sumPerRow } from './reduce.js';

const HALF_LOG_TWO_PI = 0.5 * Math.log(2 * Math.PI);

/** N(mean, diag(exp(logDeviation))^2); both [batch, ...]. */
export interface DiagonalGaussian {
  readonly mean: Tensor;
  readonly logDeviation: Tensor;
}

/** mean + deviation * epsilon with epsilon ~ N(0, I): the reparameterisation of Kingma & Welling 2013, sec. 2.4. */
export function reparameterise({ mean, logDeviation }: DiagonalGaussian, epsilon: Tensor): Tensor {
  return tf.add(mean, tf.mul(exp(logDeviation), epsilon));
}

/** Log-density of each element. */
export function gaussianLogProbMap({ mean, logDeviation }: DiagonalGaussian, x: Tensor): Tensor {
  const standardised = tf.mul(tf.sub(x, mean), exp(tf.neg(logDeviation)));
  return tf.sub(tf.mul(-0.5, tf.square(standardised)), tf.add(logDeviation, HALF_LOG_TWO_PI));
}

/** Log-density, nats, [batch]. */
export function gaussianLogProb(gaussian: DiagonalGaussian, x: Tensor): Tensor1D {
  return sumPerRow(gaussianLogProbMap(gaussian, x));
}

/** log N(x; 0, I), nats, [batch]. */
export function standardNormalLogProb(x: Tensor): Tensor1D {
  return sumPerRow(tf.sub(tf.mul(-0.5, tf.square(x)), HALF_LOG_TWO_PI));
}

/** KL(N(mean, deviation^2) || N(0, I)), nats, [batch]: Kingma & Welling 2013, appendix B. */
export function klToStandardNormal({ mean, logDeviation }: DiagonalGaussian): Tensor1D {
  const variance = exp(tf.mul(2, logDeviation));
  return sumPerRow(tf.mul(0.5, tf.sub(tf.add(tf.square(mean), variance), tf.add(1, tf.mul(2, logDeviation)))));
}
