// Losses of adversarial games, on logits: a probability never passes through a logarithm.
import type { Tensor } from '@tensorflow/tfjs';
import { softplus } from '../nn/activations.js';
import { tf } from '../trace/tensorflow.js';

/**
 * What a discriminator minimises (Goodfellow et al. 2014, eq. 1): the cross-entropy, nats, of "real" for real pictures and
 * "generated" for generated ones, a mean over each. `smoothing` makes the target of real ones 1 - smoothing, and of them
 * alone (Salimans et al. 2016, sec. 3.4).
 */
export function discriminatorLoss(real: Tensor, fake: Tensor, smoothing = 0): Tensor {
  const ofReal = tf.sub(softplus(real), tf.mul(1 - smoothing, real));
  return tf.add(tf.mean(ofReal), tf.mean(softplus(fake)));
}

/** What a generator minimises: -log D(G(z)), which does not saturate where the discriminator wins (sec. 3). */
export function generatorLoss(fake: Tensor): Tensor {
  return tf.mean(softplus(tf.neg(fake)));
}

/** E[D(generated)] - E[D(real)]: what a Wasserstein critic minimises, minus the distance (Arjovsky et al. 2017, eq. 2). */
export function wassersteinLoss(real: Tensor, fake: Tensor): Tensor {
  return tf.sub(tf.mean(fake), tf.mean(real));
}

/** Mean cross-entropy, nats, of logits [batch, classes] with labels int32 [batch]; rows without a label (-1) do not count. */
export function labelLoss(logits: Tensor, label: Tensor): Tensor {
  const classes = logits.shape[1]!;
  const labelled = tf.oneHot(label, classes, 1, 0, 'float32');
  const crossEntropy = tf.neg(tf.sum(tf.mul(labelled, tf.logSoftmax(logits))));
  return tf.div(crossEntropy, tf.maximum(1, tf.sum(labelled)));
}

/** Whether the greatest of logits [batch, classes] is that of the label: 1 or 0, [batch]. */
export function isCorrect(logits: Tensor, label: Tensor): Tensor {
  return tf.cast(tf.equal(tf.argMax(logits, 1), label), 'float32');
}
