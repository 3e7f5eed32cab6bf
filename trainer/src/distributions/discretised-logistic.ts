// A logistic density integrated over the bin of each quantisation level (Kingma et al. 2016, eq. 11; Salimans et al. 2017).
import type { Tensor } from '@tensorflow/tfjs';
import { exp, softplus, tanh } from '../nn/activations.js';
import { tf } from '../trace/tensorflow.js';

/**
 * log p of each element of x = k / (levels - 1), same shape as x. The first and last bins reach to infinity. With a
 * and b the standardised upper and lower edges, log(s(a) - s(b)) = log s(a) + log s(-b) + log(1 - e^(b - a)), which
 * loses no digits in the tails.
 */
export function discretisedLogisticLogProbMap(mean: Tensor, logScale: Tensor, x: Tensor, levels: number): Tensor {
  const half = 0.5 / (levels - 1);
  const precision = exp(tf.neg(logScale));
  const centred = tf.sub(x, mean);
  const upper = tf.mul(tf.add(centred, half), precision);
  const lower = tf.mul(tf.sub(centred, half), precision);
  // 1 - e^-d = 2 t / (1 + t) with t = tanh(d / 2), exact for narrow bins as well.
  const t = tanh(tf.mul(half, precision));
  const inside = tf.log(tf.div(tf.mul(2, t), tf.add(1, t)));
  const notFirst = tf.cast(tf.greater(x, half), 'float32');
  const notLast = tf.cast(tf.less(x, 1 - half), 'float32');
  return tf.addN([
    tf.neg(tf.mul(notLast, softplus(tf.neg(upper)))),
    tf.neg(tf.mul(notFirst, softplus(lower))),
    tf.mul(tf.mul(notFirst, notLast), inside),
  ]);
}
