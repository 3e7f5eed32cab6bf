// The engine of a run that names none.
import { compiledEngine } from '../engine/compiled.js';
import type { Engine } from '../engine/engine.js';

export async function defaultEngine(): Promise<Engine> {
  return compiledEngine();
}
