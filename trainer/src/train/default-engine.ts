// The engine of a run that names none.
import { eagerEngine } from '../engine/eager.js';
import type { Engine } from '../engine/engine.js';

export async function defaultEngine(): Promise<Engine> {
  return eagerEngine('cpu');
}
