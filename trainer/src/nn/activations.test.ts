import { describe, expect, it } from 'vitest';
import { tf } from '../trace/tensorflow.js';
import { type ActivationName, activations } from './activations.js';

const points = [-2.3, -0.4, 0.6, 1.9];
const names = Object.keys(activations) as ActivationName[];
const expected: Record<ActivationName, (x: number) => number> = {
  relu: x => Math.max(0, x),
  elu: x => (x > 0 ? x : Math.expm1(x)),
  tanh: Math.tanh,
  swish: x => x / (1 + Math.exp(-x)),
  leakyRelu: x => (x > 0 ? x : 0.2 * x),
};

describe.each(names)('%s', name => {
  const activate = activations[name];

  it('has the values of its formula', async () => {
    const values = await activate(tf.tensor(points)).data();
    points.forEach((x, i) => {
      expect(values[i]).toBeCloseTo(expected[name](x), 5);
    });
  });

  it('has first and second derivatives that agree with finite differences', async () => {
    const first = tf.grad(activate);
    const second = tf.grad((x: tf.Tensor) => first(x));
    const [slopes, curvatures] = [await first(tf.tensor(points)).data(), await second(tf.tensor(points)).data()];
    const f = expected[name];
    const h = 1e-4;
    points.forEach((x, i) => {
      expect(slopes[i]).toBeCloseTo((f(x + h) - f(x - h)) / (2 * h), 3);
      expect(curvatures[i]).toBeCloseTo((f(x + h) - 2 * f(x) + f(x - h)) / h ** 2, 3);
    });
  });
});
