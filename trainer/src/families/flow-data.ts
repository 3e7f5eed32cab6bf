// Between data and the real line on which a flow works: dequantisation, centring, logits, standardisation, and the
// constants by which they change log-densities.
import type { ImageDomain, Likelihood, VectorDomain } from '@genserve/runtime';
import type { Tensor } from '@tensorflow/tfjs';
import { sumPerRow } from '../distributions/reduce.js';
import type { NoiseSpec } from '../family.js';
import { tf } from '../trace/tensorflow.js';

export interface FlowData {
  /** Shape of a datum, and of what the flow sees of it. */
  readonly shape: readonly number[];
  /** Dequantisation noise u, uniform; none for continuous data. */
  readonly noises: readonly NoiseSpec[];
  /** x [batch, ...shape], with u or, where it is absent, with u = 1/2. */
  forward(x: Tensor, u?: Tensor): FlowDatum;
  /** The datum that `forward` takes to y with u = 1/2; pictures are cut off at 0 and 1. */
  inverse(y: Tensor): Tensor;
  readonly likelihood: Likelihood;
}

export interface FlowDatum {
  readonly y: Tensor;
  /** log p(x) - log p(y), nats: [batch] or a scalar. */
  readonly logDensityChange: Tensor;
}

/** y = d - 1/2 for d in [0, 1]. */
export function centredImages(image: ImageDomain): FlowData {
  const pixels = dequantised(image);
  return {
    ...pixels,
    forward(x, u) {
      return { y: tf.sub(pixels.d(x, u), 0.5), logDensityChange: tf.scalar(-pixels.logBins) };
    },
    inverse: y => pixels.x(tf.add(y, 0.5)),
  };
}

/** y = logit(lambda + (1 - 2 lambda) d) for d in [0, 1] (Papamakarios et al. 2017, sec. 4.2). */
export function logitImages(image: ImageDomain, lambda: number): FlowData {
  const pixels = dequantised(image);
  const stretch = 1 - 2 * lambda;
  return {
    ...pixels,
    forward(x, u) {
      // 1 - d has more digits than 1 - (a number near 1).
      const logInside = tf.log(tf.add(lambda, tf.mul(stretch, pixels.d(x, u))));
      const logOutside = tf.log(tf.add(lambda, tf.mul(stretch, pixels.complement(x, u))));
      const logSlope = tf.sub(Math.log(stretch), tf.add(logInside, logOutside));
      return {
        y: tf.sub(logInside, logOutside),
        logDensityChange: tf.sub(sumPerRow(logSlope), pixels.logBins),
      };
    },
    inverse: y => pixels.x(tf.div(tf.sub(tf.sigmoid(y), lambda), stretch)),
  };
}

/** Each column with mean 0 and deviation 1, by the constants of the domain. */
export function standardisedVectors({ mean, deviation, names }: VectorDomain): FlowData {
  const constants = () => ({ mean: tf.tensor1d([...mean]), deviation: tf.tensor1d([...deviation]) });
  const logVolume = deviation.reduce((sum, each) => sum + Math.log(each), 0);
  return {
    shape: [names.length],
    noises: [],
    forward(x) {
      const { mean, deviation } = constants();
      return { y: tf.div(tf.sub(x, mean), deviation), logDensityChange: tf.scalar(-logVolume) };
    },
    inverse(y) {
      const { mean, deviation } = constants();
      return tf.add(tf.mul(y, deviation), mean);
    },
    likelihood: { kind: 'exact', dimensions: names.length, measure: `Lebesgue measure on R^${names.length}` },
  };
}

/**
 * Level k of n becomes d = (k + u) / n with u uniform, of which log P(k) >= E log p(d) - log n for each element (Theis et
 * al. 2016, sec. 3.1): P(k) is the mean of p(d) / n over u, so one draw gives the log-weight of a bound.
 */
function dequantised({ height, width, channels, levels }: ImageDomain) {
  const shape = [height, width, channels];
  const dimensions = height * width * channels;
  const quantised = levels > 1;
  const noise: NoiseSpec = { name: 'dequantisation', distribution: 'uniform', shape };
  const likelihood: Likelihood = quantised
    ? { kind: 'bound', dimensions, measure: `counting measure on {0,...,${levels - 1}}^${dimensions}` }
    : { kind: 'exact', dimensions, measure: `Lebesgue measure on [0,1]^${dimensions}` };
  const fraction = (x: Tensor, u: Tensor | number) =>
    quantised ? tf.div(tf.add(tf.mul(levels - 1, x), u), levels) : x;
  return {
    shape,
    noises: quantised ? [noise] : [],
    likelihood,
    /** log of the number of bins of size 1/n in the unit cube. */
    logBins: quantised ? dimensions * Math.log(levels) : 0,
    d: (x: Tensor, u: Tensor | number = 0.5) => fraction(x, u),
    /** 1 - d */
    complement: (x: Tensor, u: Tensor | number = 0.5) => fraction(tf.sub(1, x), tf.sub(1, u)),
    x(d: Tensor) {
      const x = quantised ? tf.div(tf.sub(tf.mul(levels, d), 0.5), levels - 1) : d;
      return tf.clipByValue(x, 0, 1);
    },
  };
}
