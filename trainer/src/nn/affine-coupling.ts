// Glow's affine coupling layer (Kingma & Dhariwal 2018, sec. 3.3, table 1): half of the channels passes unchanged and tells,
// through a network of three convolutions, how the other half is moved and scaled.
import type { Tensor, Tensor4D } from '@tensorflow/tfjs';
import { sumPerRow } from '../distributions/reduce.js';
import { tf } from '../trace/tensorflow.js';
import { exp, relu, sigmoid, softplus } from './activations.js';
import { actnorm } from './actnorm.js';
import type { FlowLayer, FlowMode } from './flow-layer.js';
import { normal } from './initialisers.js';
import { inModule } from './module.js';
import type { Scope } from './variable.js';
import { zeroConvolutionPair } from './zero-convolution.js';

export interface AffineCouplingOptions {
  /** Of the images that are coupled; even. */
  readonly channels: number;
  /** Channels of the network's hidden layers. */
  readonly width: number;
}

/** Scales start near 1: sigmoid(2) = 0.88. */
const SCALE_SHIFT = 2;
/**
 * No scale is below sigmoid(-3) = 0.047: a guard, so that pictures unlike any that were trained on can be taken back as
 * well (Behrmann et al. 2021, "Understanding and mitigating exploding inverses").
 */
const LEAST_LOGIT = -3;

/** [batch, height, width, channels]: y = (a, (b + shift(a)) * scale(a)), scale = max(sigmoid(h + 2), sigmoid(-3)), for the halves (a, b) of x. */
export function affineCoupling(scope: Scope, { channels, width }: AffineCouplingOptions): FlowLayer {
  const half = channels / 2;
  const first = actnormConvolution(scope, 1, { inputs: half, outputs: width, size: 3 });
  const second = actnormConvolution(scope, 2, { inputs: width, outputs: width, size: 1 });
  const last = zeroConvolutionPair(scope.child('convolution3'), { inputs: width, outputs: half });
  const network = (a: Tensor, mode: FlowMode) => {
    const [shift, h] = last(relu(second(relu(first(a, mode)), mode)));
    return { shift, logit: tf.maximum(tf.add(h, SCALE_SHIFT), LEAST_LOGIT) };
  };
  const halves = (x: Tensor) => tf.split(x, 2, 3) as [Tensor, Tensor]; // as many as asked for
  return {
    forward: (x, mode) =>
      inModule(scope, () => {
        const [a, b] = halves(x);
        const { shift, logit } = network(a, mode);
        return {
          y: tf.concat([a, tf.mul(tf.add(b, shift), sigmoid(logit))], 3),
          logDeterminant: tf.neg(sumPerRow(softplus(tf.neg(logit)))), // log sigmoid
        };
      }),
    inverse: y =>
      inModule(scope, () => {
        const [a, moved] = halves(y);
        const { shift, logit } = network(a, 'serve');
        const inverseScale = tf.add(1, exp(tf.neg(logit)));
        return tf.concat([a, tf.sub(tf.mul(moved, inverseScale), shift)], 3);
      }),
  };
}

/** A convolution without bias and the actnorm after it, whose scale multiplies the filter instead of the image. */
function actnormConvolution(
  scope: Scope,
  number: number,
  { inputs, outputs, size }: { readonly inputs: number; readonly outputs: number; readonly size: number },
): (x: Tensor, mode: FlowMode) => Tensor {
  const convolutionScope = scope.child(`convolution${number}`);
  const filter = convolutionScope.parameter('filter', [size, size, inputs, outputs], normal(0.05));
  const normalisation = actnorm(scope.child(`actnorm${number}`), outputs);
  // Variables are plain Tensors; the casts state what the shapes above are.
  const convolve = (x: Tensor, weights: Tensor) => tf.conv2d(x as Tensor4D, weights as Tensor4D, 1, 'same');
  return (x, mode) =>
    inModule(convolutionScope, () => {
      if (mode === 'initialise') normalisation.initialise(convolve(x, filter.value));
      const scale = normalisation.scale();
      return tf.add(convolve(x, tf.mul(filter.value, scale)), tf.mul(normalisation.bias(), scale));
    });
}
