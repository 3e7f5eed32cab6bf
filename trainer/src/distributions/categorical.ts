// Independent categorical variables, by their logits.
import type { Tensor } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';

/** log p of each index, int32 [...] -> [...]; logits [..., count]. */
export function categoricalLogProb(logits: Tensor, indices: Tensor): Tensor {
  // oneHot is typed for any dtype; as float it multiplies.
  const chosen = tf.cast(tf.oneHot(indices as Tensor<tf.Rank.R1>, logits.shape.at(-1)!), 'float32');
  return tf.sum(tf.mul(chosen, tf.logSoftmax(logits, -1)), -1);
}

/** log p of each element of x = k / (levels - 1), [...]; logits [..., levels]. */
export function categoricalLogProbMap(logits: Tensor, x: Tensor): Tensor {
  const levels = logits.shape.at(-1)!;
  return categoricalLogProb(logits, tf.cast(tf.round(tf.mul(x, levels - 1)), 'int32'));
}

/** E[x], [...]. */
export function categoricalMean(logits: Tensor): Tensor {
  const levels = logits.shape.at(-1)!;
  const values = tf.tensor1d(Array.from({ length: levels }, (_, level) => level / (levels - 1)));
  return tf.sum(tf.mul(tf.softmax(logits, -1), values), -1);
}

/** The index in which the running sum of the probabilities passes `uniform` [batch, 1]: logits [batch, count] -> int32 [batch]. */
export function drawCategorical(logits: Tensor, uniform: Tensor): Tensor {
  const passed = tf.lessEqual(tf.cumsum(tf.softmax(logits), 1), uniform);
  // The last sum may be rounded below 1.
  const last = tf.scalar(logits.shape.at(-1)! - 1, 'int32');
  return tf.minimum(tf.sum(tf.cast(passed, 'int32'), 1), last);
}
