// The engine that the options of a command ask for.
import type { Engine } from '@genserve/trainer';

export interface EngineFlags {
  readonly engine?: 'compiled' | 'eager';
  readonly threads?: number;
}

/** Undefined where the trainer's own choice will do. */
export async function engineOf({ engine, threads }: EngineFlags): Promise<Engine | undefined> {
  const { compiledEngine, eagerEngine } = await import('@genserve/trainer');
  if (engine === 'eager') return eagerEngine();
  return threads === undefined ? undefined : compiledEngine({ threads });
}
