// Nonlinearities that have gradients of every order. tfjs' own elu, leakyRelu, prelu and abs differentiate into kernels
// that have none, and its gradients of exp, tanh and sigmoid read the saved result, through which a second
// differentiation finds no way: these here compute the result again (which a compiled graph merges with the first).
import type { Tensor } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';

export type Activation = (x: Tensor) => Tensor;

/** `forward` with the derivative `slope(x)`. */
function differentiable(forward: Activation, slope: Activation): Activation {
  return tf.customGrad((x, save) => {
    // customGrad types its arguments as Tensor | save; the first is the tensor, the second the function.
    const input = x as Tensor;
    (save as (tensors: Tensor[]) => void)([input]);
    return {
      value: forward(input),
      gradFunc: (dy: Tensor, saved: Tensor[]) => tf.mul(dy, slope(saved[0]!)),
    };
  });
}

export const relu: Activation = x => tf.relu(x);
export const exp: Activation = differentiable(
  x => tf.exp(x),
  x => exp(x),
);
export const tanh: Activation = differentiable(
  x => tf.tanh(x),
  x => tf.sub(1, tf.square(tanh(x))),
);
export const sigmoid: Activation = differentiable(
  x => tf.sigmoid(x),
  x => tf.mul(sigmoid(x), sigmoid(tf.neg(x))),
);
/** log(1 + e^x), stable for large |x|. */
export const softplus: Activation = differentiable(
  x => tf.softplus(x),
  x => sigmoid(x),
);

/** x for x > 0, slope * x below (Maas et al. 2013). */
export function leakyRelu(x: Tensor, slope = 0.2): Tensor {
  return tf.sub(tf.relu(x), tf.mul(slope, tf.relu(tf.neg(x))));
}

/** x for x > 0, e^x - 1 below (Clevert et al. 2015). */
export const elu: Activation = x => tf.add(tf.relu(x), tf.sub(exp(tf.neg(tf.relu(tf.neg(x)))), 1));

/** x * sigmoid(x) (Ramachandran et al. 2017). */
export const swish: Activation = x => tf.mul(x, sigmoid(x));

export const activations = { relu, elu, tanh, swish, leakyRelu: (x: Tensor) => leakyRelu(x) } as const;
export type ActivationName = keyof typeof activations;
