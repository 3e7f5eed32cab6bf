// Adam (Kingma & Ba 2014, algorithm 1) inside the step's graph: the learning rate and both bias corrections are fed,
// so that a schedule never re-traces and the powers of beta are exact.
import type { Tensor } from '@tensorflow/tfjs';
import type { OptimiserSettings } from '../family.js';
import { zeros } from '../nn/initialisers.js';
import { Variable } from '../nn/variable.js';
import { tf } from '../trace/tensorflow.js';
import type { Optimiser } from './optimiser.js';

type Fed = Readonly<Record<'correction1' | 'correction2', Tensor>>;

export class Adam implements Optimiser {
  readonly #beta1: number;
  readonly #beta2: number;
  readonly #epsilon: number;
  readonly #moments: readonly { parameter: Variable; first: Variable; second: Variable }[];

  constructor(name: string, parameters: readonly Variable[], settings: OptimiserSettings) {
    this.#beta1 = settings.beta1 ?? 0.9;
    this.#beta2 = settings.beta2 ?? 0.999;
    this.#epsilon = settings.epsilon ?? 1e-8;
    this.#moments = parameters.map(parameter => ({
      parameter,
      first: new Variable(`${name}/first-moment/${parameter.name}`, parameter.shape, zeros, false),
      second: new Variable(`${name}/second-moment/${parameter.name}`, parameter.shape, zeros, false),
    }));
  }

  variables(): Variable[] {
    return this.#moments.flatMap(({ first, second }) => [first, second]);
  }

  /** correction1 = 1 / (1 - beta1^t), correction2 = 1 / (1 - beta2^t). */
  feeds(update: number): { correction1: number; correction2: number } {
    return { correction1: 1 / (1 - this.#beta1 ** update), correction2: 1 / (1 - this.#beta2 ** update) };
  }

  update(gradients: readonly Tensor[], learningRate: Tensor, fed: Readonly<Record<string, Tensor>>): void {
    const { correction1, correction2 } = fed as Fed; // as `feeds` names them
    const stepSize = tf.mul(learningRate, correction1);
    for (const [index, { parameter, first, second }] of this.#moments.entries()) {
      const gradient = gradients[index];
      if (!gradient) throw new Error(`no gradient for ${parameter.name}`);
      first.assign(tf.add(tf.mul(first.value, this.#beta1), tf.mul(gradient, 1 - this.#beta1)));
      second.assign(tf.add(tf.mul(second.value, this.#beta2), tf.mul(tf.square(gradient), 1 - this.#beta2)));
      const deviation = tf.add(tf.sqrt(tf.mul(second.value, correction2)), this.#epsilon);
      parameter.assign(tf.sub(parameter.value, tf.div(tf.mul(stepSize, first.value), deviation)));
    }
  }
}
