// Independent Bernoulli variables, by their logits.
import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import { sigmoid, softplus } from '../nn/activations.js';
import { tf } from '../trace/tensorflow.js';
import { sumPerRow } from './reduce.js';

/** log p of each element of x in {0, 1}: x * logits - softplus(logits), finite for any finite logit. Same shape as x. */
export function bernoulliLogProbMap(logits: Tensor, x: Tensor): Tensor {
  return tf.sub(tf.mul(x, logits), softplus(logits));
}

/** log p(x), nats, [batch]. */
export function bernoulliLogProb(logits: Tensor, x: Tensor): Tensor1D {
  return sumPerRow(bernoulliLogProbMap(logits, x));
}

/** E[x] = sigmoid(logits). */
export function bernoulliMean(logits: Tensor): Tensor {
  return sigmoid(logits);
}
