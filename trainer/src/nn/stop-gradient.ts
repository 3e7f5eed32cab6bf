// Where gradients end, and where they pass by: sg[.] of van den Oord et al. 2017, and their straight-through estimator.
import type { Tensor } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';

/** sg[f(x)]: the value of f(x), whose derivative is taken for zero. `f` may use kernels that have no gradient. */
export function stopGradient(x: Tensor, f: (x: Tensor) => Tensor): Tensor {
  return tf.customGrad(input => {
    // customGrad types its arguments as Tensor | save; the first is the tensor.
    const given = input as Tensor;
    return { value: f(given), gradFunc: () => tf.zerosLike(x) };
  })(x);
}

/** The value of `value`, with the derivative of x, which is of the same shape (Bengio et al. 2013, sec. 4). */
export function straightThrough(x: Tensor, value: Tensor): Tensor {
  return tf.customGrad(() => ({ value: tf.clone(value), gradFunc: (dy: Tensor) => dy }))(x);
}
