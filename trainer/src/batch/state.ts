// What a plan has done so far: one small file, replaced as a whole after every change.
import { readFile } from 'node:fs/promises';
import { type ErrorJson, GenserveError, serialQueue } from '@genserve/runtime';
import { writeAtomically } from '../train/checkpoint.js';
import type { NamedRecipe } from './plan.js';

export interface RunState {
  readonly name: string;
  /** The recipe that was run: a changed one is not taken for done. */
  readonly recipe: NamedRecipe;
  readonly status: 'training' | 'trained' | 'done' | 'failed';
  readonly bundle?: string | undefined;
  /** Of training. */
  readonly seconds?: number | undefined;
  /** As the bundle states them. */
  readonly metrics?: Readonly<Record<string, number>> | undefined;
  readonly error?: ErrorJson | undefined;
}

export interface PlanMemory {
  /** Where it is kept. */
  readonly path: string;
  get(name: string): RunState | undefined;
  set(run: RunState): Promise<void>;
}

export class PlanState implements PlanMemory {
  /** Several runs may have something to say at a time. */
  readonly #inTurn = serialQueue();

  private constructor(
    readonly path: string,
    private readonly runs: Map<string, RunState>,
  ) {}

  /** Empty where there is no file yet. Throws CONFIGURATION_INVALID where there is one that cannot be read. */
  static async open(path: string): Promise<PlanState> {
    const text = await readFile(path, 'utf8').catch(() => undefined);
    if (text === undefined) return new PlanState(path, new Map());
    try {
      // Written below, as a whole.
      const { runs } = JSON.parse(text) as { runs: RunState[] };
      return new PlanState(path, new Map(runs.map(run => [run.name, run])));
    } catch (cause) {
      throw new GenserveError(
        'CONFIGURATION_INVALID',
        `plan: ${path} cannot be read; remove it to start the plan anew`,
        {
          field: 'plan',
          cause,
        },
      );
    }
  }

  get(name: string): RunState | undefined {
    return this.runs.get(name);
  }

  async set(run: RunState): Promise<void> {
    this.runs.set(run.name, run);
    const write = () => writeAtomically(this.path, `${JSON.stringify({ runs: [...this.runs.values()] }, null, 2)}\n`);
    await this.#inTurn(write);
  }
}

export function sameRecipe(a: NamedRecipe, b: NamedRecipe): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

/** With keys in order of their names, so that a plan may be rewritten without being changed. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, below]) => below !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, below]) => [key, sorted(below)]));
}
