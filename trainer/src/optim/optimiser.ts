// An optimiser: its rule applied to every parameter inside the step's graph. Learning rate and corrections are fed, so that
// a schedule never re-traces.
import type { Tensor } from '@tensorflow/tfjs';
import type { OptimiserSettings } from '../family.js';
import { zeros } from '../nn/initialisers.js';
import { Variable } from '../nn/variable.js';
import { tf } from '../trace/tensorflow.js';
import { type Rule, rules } from './rules.js';

export const optimiserNames = [
  'sgd',
  'momentum',
  'rmsprop',
  'adam',
  'adamax',
] as const satisfies readonly OptimiserSettings['name'][];

export class Optimiser {
  readonly #rule: Rule;
  readonly #weightDecay: number;
  readonly #decoupled: boolean;
  readonly #parameters: readonly { parameter: Variable; carried: readonly Variable[] }[];

  /** `name` prefixes what is carried, as several optimisers may hold one parameter. */
  constructor(name: string, parameters: readonly Variable[], settings: OptimiserSettings) {
    this.#rule = rules[settings.name](settings);
    this.#weightDecay = settings.weightDecay ?? 0;
    this.#decoupled = settings.decoupled ?? false;
    this.#parameters = parameters.map(parameter => ({
      parameter,
      carried: this.#rule.carried.map(
        slot => new Variable(`${name}/${slot}/${parameter.name}`, parameter.shape, zeros, false),
      ),
    }));
  }

  /** What it carries across steps. */
  variables(): Variable[] {
    return this.#parameters.flatMap(({ carried }) => carried);
  }

  /** Scalars, by name, to feed at update t = 1, 2, ... */
  feeds(update: number): Readonly<Record<string, number>> {
    return this.#rule.feeds(update);
  }

  /** Assigns new parameters and state. `gradients` are in the order of the parameters; `fed` holds the scalars of `feeds`. */
  update(gradients: readonly Tensor[], learningRate: Tensor, fed: Readonly<Record<string, Tensor>>): void {
    for (const [index, { parameter, carried }] of this.#parameters.entries()) {
      const gradient = gradients[index];
      if (!gradient) throw new Error(`no gradient for ${parameter.name}`);
      const before = parameter.value;
      const pull = this.#weightDecay > 0 ? tf.mul(before, this.#weightDecay) : undefined;
      const coupled = pull && !this.#decoupled ? tf.add(gradient, pull) : gradient;
      const move = this.#rule.move(
        coupled,
        carried.map(({ value }) => value),
        learningRate,
        fed,
      );
      for (const [slot, variable] of carried.entries()) variable.assign(move.carried[slot]!);
      const step = pull && this.#decoupled ? tf.add(move.step, tf.mul(learningRate, pull)) : move.step;
      parameter.assign(tf.sub(before, step));
    }
  }
}
