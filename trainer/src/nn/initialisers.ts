// First values of parameters, drawn from the run's seed under each variable's own name.
import type { Initialiser } from './variable.js';

function size(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

export const zeros: Initialiser = ({ shape }) => new Float32Array(size(shape));

export function constant(value: number): Initialiser {
  return ({ shape }) => new Float32Array(size(shape)).fill(value);
}

/** N(mean, deviation^2). */
export function normal(deviation: number, mean = 0): Initialiser {
  return context => context.normal().map(draw => mean + draw * deviation);
}

/** N(0, gain^2 / fanIn): He et al. 2015 for rectifiers with gain sqrt(2), LeCun's rule with gain 1. */
export function fanInNormal(fanIn: number, gain = Math.SQRT2): Initialiser {
  return normal(gain / Math.sqrt(fanIn));
}

/** U(-a, a) with a = sqrt(6 / (fanIn + fanOut)): Glorot & Bengio 2010, eq. 16. */
export function glorotUniform(fanIn: number, fanOut: number): Initialiser {
  const limit = Math.sqrt(6 / (fanIn + fanOut));
  return context => context.uniform().map(draw => (2 * draw - 1) * limit);
}
