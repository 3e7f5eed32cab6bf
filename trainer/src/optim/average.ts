// Exponential moving average of parameters (Polyak & Juditsky 1992, in the exponential form): what is evaluated and exported.
import type { Tensor } from '@tensorflow/tfjs';
import type { State } from '../engine/program.js';
import { Variable } from '../nn/variable.js';
import { tf } from '../trace/tensorflow.js';

const PREFIX = 'average/';

export class ParameterAverage {
  readonly #pairs: readonly { parameter: Variable; average: Variable }[];

  constructor(parameters: readonly Variable[]) {
    this.#pairs = parameters.map(parameter => ({
      parameter,
      average: new Variable(`${PREFIX}${parameter.name}`, parameter.shape, parameter.initialise, false),
    }));
  }

  variables(): Variable[] {
    return this.#pairs.map(({ average }) => average);
  }

  /** average <- average + (1 - decay) * (parameter - average); `rate` = 1 - decay is a scalar. */
  update(rate: Tensor): void {
    for (const { parameter, average } of this.#pairs)
      average.assign(tf.add(average.value, tf.mul(rate, tf.sub(parameter.value, average.value))));
  }
}

/** 1 - decay at update t: a short memory at first, so that the first values are forgotten. */
export function averagingRate(decay: number, update: number): number {
  return 1 - Math.min(decay, (1 + update) / (10 + update));
}

/** Name of the parameter that a variable is the average of, or nothing. */
export function averagedName(name: string): string | undefined {
  return name.startsWith(PREFIX) ? name.slice(PREFIX.length) : undefined;
}

/** State in which every averaged parameter has its average's value, for evaluation and export. */
export function averagedState(state: State): State {
  const result: State = new Map(state);
  for (const [name, value] of state) {
    const parameter = averagedName(name);
    if (parameter !== undefined) result.set(parameter, value);
  }
  return result;
}
