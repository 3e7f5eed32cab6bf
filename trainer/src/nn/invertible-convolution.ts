// The invertible 1x1 convolution of Glow (Kingma & Dhariwal 2018, sec. 3.2) in its LU form, and the actnorm before it folded
// into the same matrix: a step of the flow mixes its channels in one pass over the image.
import type { Tensor, Tensor2D, Tensor4D } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';
import { exp } from './activations.js';
import type { Actnorm } from './actnorm.js';
import type { FlowLayer } from './flow-layer.js';
import { randomRotation, type TriangularFactors, triangularFactors } from './linear-algebra.js';
import { inModule } from './module.js';
import type { Initialiser, Scope } from './variable.js';

/** A square matrix by which channels are multiplied: y = x W for x [..., channels]. */
export interface InvertibleMatrix {
  readonly scope: Scope;
  readonly channels: number;
  weight(): Tensor2D;
  inverse(): Tensor2D;
  /** log|det W| */
  logDeterminant(): Tensor;
}

/**
 * W = P (L + I) (U + diag(sign exp(log_diagonal))), eq. 10: L and U strictly triangular, P and sign fixed. It starts as a
 * random rotation.
 */
export function invertibleMatrix(scope: Scope, channels: number): InvertibleMatrix {
  const square = [channels, channels];
  // All five are parts of one rotation, so they draw from one stream.
  const from =
    (pick: (factors: TriangularFactors, i: number) => number): Initialiser =>
    ({ shape, normal }) => {
      const drawn = normal({ name: `${scope.path}/rotation`, length: channels * channels });
      const factors = triangularFactors(randomRotation(drawn, channels), channels);
      return Float32Array.from({ length: shape.reduce((product, extent) => product * extent, 1) }, (_, i) =>
        pick(factors, i),
      );
    };
  const diagonal = (i: number) => i * (channels + 1);
  const lower = scope.parameter(
    'lower',
    square,
    from((factors, i) => (isBelow(i) ? factors.lower[i]! : 0)),
  );
  const upper = scope.parameter(
    'upper',
    square,
    from((factors, i) => (isAbove(i) ? factors.upper[i]! : 0)),
  );
  const logDiagonal = scope.parameter(
    'log_diagonal',
    [channels],
    from((factors, i) => Math.log(Math.abs(factors.upper[diagonal(i)]!))),
  );
  const sign = scope.statistic(
    'sign',
    [channels],
    from((factors, i) => Math.sign(factors.upper[diagonal(i)]!)),
  );
  const permutation = scope.statistic(
    'permutation',
    square,
    from((factors, i) => factors.permutation[i]!),
  );

  function isBelow(i: number): boolean {
    return Math.floor(i / channels) > i % channels;
  }
  function isAbove(i: number): boolean {
    return Math.floor(i / channels) < i % channels;
  }
  const mask = (holds: (i: number) => boolean) =>
    tf.tensor2d(
      Float32Array.from({ length: channels * channels }, (_, i) => Number(holds(i))),
      [channels, channels],
    );
  const identity = () => mask(i => i % (channels + 1) === 0);
  const lowerFactor = () => tf.add(tf.mul(lower.value, mask(isBelow)), identity()) as Tensor2D;
  const upperFactor = () =>
    tf.add(
      tf.mul(upper.value, mask(isAbove)),
      tf.mul(identity(), tf.mul(sign.value, exp(logDiagonal.value))),
    ) as Tensor2D;

  return {
    scope,
    channels,
    weight: () => tf.matMul(permutation.value as Tensor2D, tf.matMul(lowerFactor(), upperFactor())),
    inverse() {
      // A permutation's inverse is its transpose.
      const unmixed = tf.matMul(invertUpper(upperFactor(), channels), invertLower(lowerFactor(), channels));
      return tf.matMul(unmixed, permutation.value as Tensor2D, false, true);
    },
    logDeterminant: () => tf.sum(logDiagonal.value),
  };
}

/** [batch, height, width, channels]: `normalisation`, then the product with `matrix`, as one 1x1 convolution. */
export function mixing(normalisation: Actnorm, matrix: InvertibleMatrix): FlowLayer {
  const { channels, scope } = matrix;
  const convolve = (x: Tensor, weight: Tensor, offset: Tensor) => {
    // Images by the contract above; [channels, channels] as a filter of one tap.
    const filter = tf.reshape(weight, [1, 1, channels, channels]) as Tensor4D;
    return tf.add(tf.conv2d(x as Tensor4D, filter, 1, 'same'), tf.reshape(offset, [channels]));
  };
  const row = (x: Tensor) => tf.reshape(x, [1, channels]) as Tensor2D;
  return {
    forward: (x, mode) =>
      inModule(scope, () => {
        if (mode === 'initialise') normalisation.initialise(x);
        // ((x + b) s) W = x (s W) + b (s W), s along the rows
        const weight = tf.mul(tf.reshape(normalisation.scale(), [channels, 1]), matrix.weight()) as Tensor2D;
        const [, height, width] = x.shape as [number, number, number, number]; // images
        const perPixel = tf.add(normalisation.logDeterminant(), matrix.logDeterminant());
        return {
          y: convolve(x, weight, tf.matMul(row(normalisation.bias()), weight)),
          logDeterminant: tf.mul(height * width, perPixel),
        };
      }),
    inverse: y =>
      inModule(scope, () => {
        const weight = tf.div(matrix.inverse(), normalisation.scale());
        return convolve(y, weight, tf.neg(normalisation.bias()));
      }),
  };
}

/** By halves: the inverse of [[A, 0], [B, C]] is [[A', 0], [-C' B A', C']]. As a graph it folds into a constant. */
function invertLower(matrix: Tensor2D, size: number): Tensor2D {
  if (size === 1) return tf.reciprocal(matrix);
  const half = Math.floor(size / 2);
  const rest = size - half;
  const first = invertLower(tf.slice2d(matrix, [0, 0], [half, half]), half);
  const second = invertLower(tf.slice2d(matrix, [half, half], [rest, rest]), rest);
  // A product of matrices, and so its negative.
  const between = tf.matMul(second, tf.matMul(tf.slice2d(matrix, [half, 0], [rest, half]), first));
  const nothing = tf.tensor2d(new Float32Array(half * rest), [half, rest]);
  return tf.concat2d([tf.concat2d([first, nothing], 1), tf.concat2d([tf.neg(between) as Tensor2D, second], 1)], 0);
}

function invertUpper(matrix: Tensor2D, size: number): Tensor2D {
  return tf.transpose(invertLower(tf.transpose(matrix), size));
}
