// The residual block of van den Oord et al. 2017, sec. 4.1: x + W1 relu(W3 relu(x)), a 3x3 convolution before a 1x1.
import type { Tensor } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';
import { convolution } from './convolution.js';
import { inModule } from './module.js';
import type { Scope } from './variable.js';

export interface ResidualBlockOptions {
  readonly channels: number;
  /** Feature maps between the two convolutions. */
  readonly hidden: number;
}

/** [batch, height, width, channels] -> the same shape. */
export function residualBlock(scope: Scope, { channels, hidden }: ResidualBlockOptions): (x: Tensor) => Tensor {
  const first = convolution(scope.child('convolution1'), { inputs: channels, outputs: hidden });
  const second = convolution(scope.child('convolution2'), { inputs: hidden, outputs: channels, size: 1 });
  return x => inModule(scope, () => tf.add(x, second(tf.relu(first(tf.relu(x))))));
}
