// Glow's last convolutions (Kingma & Dhariwal 2018, sec. 3.3 and the paper's code): zero at first, so that what they drive
// starts as the identity, with a gain exp(3 g) for each channel.
import type { Tensor, Tensor4D } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';
import { exp } from './activations.js';
import { LOG_SCALE_FACTOR } from './actnorm.js';
import { addBias } from './bias.js';
import { zeros } from './initialisers.js';
import { inModule } from './module.js';
import type { Scope } from './variable.js';

const SIZE = 3;

/**
 * [batch, height, width, inputs] -> two of [batch, height, width, outputs]: the even and the odd channels of
 * (3x3 convolution + bias) exp(3 log_gain). Channels are parted and scaled in the filter, which is smaller than the image.
 */
export function zeroConvolutionPair(
  scope: Scope,
  { inputs, outputs }: { readonly inputs: number; readonly outputs: number },
): (x: Tensor) => [even: Tensor, odd: Tensor] {
  const filter = scope.parameter('filter', [SIZE, SIZE, inputs, 2 * outputs], zeros);
  const bias = scope.bias('bias', 2 * outputs, zeros);
  const logGain = scope.parameter('log_gain', [2 * outputs], zeros);
  const parted = (x: Tensor) => {
    const lead = x.shape.slice(0, -1);
    const axes = lead.map((_, axis) => axis);
    const pairs = tf.reshape(x, [...lead, outputs, 2]);
    return tf.reshape(tf.transpose(pairs, [...axes, lead.length + 1, lead.length]), [...lead, 2 * outputs]);
  };
  return x =>
    inModule(scope, () => {
      const gain = exp(tf.mul(LOG_SCALE_FACTOR, logGain.value));
      const weights = parted(tf.mul(filter.value, gain)) as Tensor4D; // of the filter's shape
      const h = addBias(tf.conv2d(x as Tensor4D, weights, 1, 'same'), parted(tf.mul(bias.value, gain)));
      return tf.split(h, 2, 3) as [Tensor, Tensor]; // as many as asked for
    });
}
