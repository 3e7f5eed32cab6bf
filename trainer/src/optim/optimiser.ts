// What an optimiser is: an update inside the step's graph. Learning rate and corrections are fed, so that a schedule never
// re-traces.
import type { Tensor } from '@tensorflow/tfjs';
import type { OptimiserSettings } from '../family.js';
import type { Variable } from '../nn/variable.js';
import { Adam } from './adam.js';
import { Adamax } from './adamax.js';

export interface Optimiser {
  /** What it carries across steps. */
  variables(): Variable[];
  /** Scalars, by name, to feed at update t = 1, 2, ... */
  feeds(update: number): Readonly<Record<string, number>>;
  /** Assigns new parameters and state. `gradients` are in the order of the parameters; `fed` holds the scalars of `feeds`. */
  update(gradients: readonly Tensor[], learningRate: Tensor, fed: Readonly<Record<string, Tensor>>): void;
}

export const optimiserNames = ['adam', 'adamax'] as const satisfies readonly OptimiserSettings['name'][];

const optimisers = { adam: Adam, adamax: Adamax };

/** `name` prefixes what the optimiser carries, as several may hold one parameter. */
export function createOptimiser(name: string, parameters: readonly Variable[], settings: OptimiserSettings): Optimiser {
  return new optimisers[settings.name](name, parameters, settings);
}
