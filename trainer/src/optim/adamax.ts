// Adamax (Kingma & Ba 2014, algorithm 2): Adam with the greatest of the decayed gradients in place of their second moment.
import type { Tensor } from '@tensorflow/tfjs';
import type { OptimiserSettings } from '../family.js';
import { zeros } from '../nn/initialisers.js';
import { Variable } from '../nn/variable.js';
import { tf } from '../trace/tensorflow.js';
import type { Optimiser } from './optimiser.js';

export class Adamax implements Optimiser {
  readonly #beta1: number;
  readonly #beta2: number;
  readonly #epsilon: number;
  readonly #moments: readonly { parameter: Variable; first: Variable; greatest: Variable }[];

  constructor(name: string, parameters: readonly Variable[], settings: OptimiserSettings) {
    this.#beta1 = settings.beta1 ?? 0.9;
    this.#beta2 = settings.beta2 ?? 0.999;
    this.#epsilon = settings.epsilon ?? 1e-8;
    this.#moments = parameters.map(parameter => ({
      parameter,
      first: new Variable(`${name}/first-moment/${parameter.name}`, parameter.shape, zeros, false),
      greatest: new Variable(`${name}/greatest/${parameter.name}`, parameter.shape, zeros, false),
    }));
  }

  variables(): Variable[] {
    return this.#moments.flatMap(({ first, greatest }) => [first, greatest]);
  }

  /** correction1 = 1 / (1 - beta1^t); the maximum needs none. */
  feeds(update: number): { correction1: number } {
    return { correction1: 1 / (1 - this.#beta1 ** update) };
  }

  update(gradients: readonly Tensor[], learningRate: Tensor, fed: Readonly<Record<string, Tensor>>): void {
    const stepSize = tf.mul(learningRate, fed.correction1!); // as `feeds` names it
    for (const [index, { parameter, first, greatest }] of this.#moments.entries()) {
      const gradient = gradients[index];
      if (!gradient) throw new Error(`no gradient for ${parameter.name}`);
      first.assign(tf.add(tf.mul(first.value, this.#beta1), tf.mul(gradient, 1 - this.#beta1)));
      greatest.assign(tf.maximum(tf.mul(greatest.value, this.#beta2), tf.abs(gradient)));
      const scale = tf.add(greatest.value, this.#epsilon);
      parameter.assign(tf.sub(parameter.value, tf.div(tf.mul(stepSize, first.value), scale)));
    }
  }
}
