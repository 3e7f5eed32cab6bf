// Nonlinearities, written from ops that have gradients of every order: tfjs' own elu, leakyRelu, prelu and abs
// differentiate into kernels that have none.
import type { Tensor } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';

export type Activation = (x: Tensor) => Tensor;

export const relu: Activation = x => tf.relu(x);
export const tanh: Activation = x => tf.tanh(x);
export const sigmoid: Activation = x => tf.sigmoid(x);
/** log(1 + e^x), stable for large |x|; its gradient is the logistic function. */
export const softplus: Activation = x => tf.softplus(x);

/** x for x > 0, slope * x below (Maas et al. 2013). */
export function leakyRelu(x: Tensor, slope = 0.2): Tensor {
  return tf.sub(tf.relu(x), tf.mul(slope, tf.relu(tf.neg(x))));
}

/** x for x > 0, e^x - 1 below (Clevert et al. 2015). */
export const elu: Activation = x => tf.add(tf.relu(x), tf.sub(tf.exp(tf.neg(tf.relu(tf.neg(x)))), 1));

/** x * sigmoid(x) (Ramachandran et al. 2017). */
export const swish: Activation = x => tf.mul(x, tf.sigmoid(x));

export const activations = { relu, elu, tanh, swish, leakyRelu: (x: Tensor) => leakyRelu(x) } as const;
export type ActivationName = keyof typeof activations;
