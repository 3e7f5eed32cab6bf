// Trains and exports a plan, in this process run after run, or side by side. Killed and started again, it repeats nothing that was done.
import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Engine } from '../engine/engine.js';
import type { Callbacks } from '../train/callbacks.js';
import { runJob } from './job.js';
import { type PlanResult, runOne } from './one-run.js';
import { type NamedRecipe, readPlan } from './plan.js';
import { PlanState } from './state.js';

export interface PlanOptions {
  /** Override the plan's. */
  readonly runs?: string | undefined;
  readonly models?: string | undefined;
  /** Runs side by side, each in a process of its own that trains on the CPU; one after another in this process when absent. */
  readonly jobs?: Jobs | undefined;
  /** The trainer's own choice when absent. For runs in this process. */
  readonly engine?: Engine | undefined;
  /** Ends the runs in progress at a checkpoint, and the plan with them. */
  readonly signal?: AbortSignal | undefined;
  /** Who watches a run. */
  readonly watch?: ((name: string) => readonly Callbacks[]) | undefined;
  /** What happens to a run: "training", "going on", "exporting", "done before". */
  readonly onRun?: ((name: string, action: string) => void) | undefined;
}

export interface Jobs {
  readonly count: number;
  /** Of each; its share of the cores when absent. */
  readonly threads?: number | undefined;
}

/** `path`: the plan's YAML file. A run that fails does not stop the others; starting the plan again tries it again. */
export async function batch(path: string, options: PlanOptions = {}): Promise<PlanResult[]> {
  const { jobs, signal, engine, watch, onRun } = options;
  const plan = await readPlan(path);
  const places = { runs: options.runs ?? plan.runs, models: options.models ?? plan.models };
  await mkdir(places.runs, { recursive: true });
  const state = await PlanState.open(join(places.runs, `${plan.name}.plan.json`));
  const run = (recipe: NamedRecipe): Promise<PlanResult> => {
    const { name } = recipe;
    const watched = { signal, callbacks: watch?.(name) ?? [], onAction: (action: string) => onRun?.(name, action) };
    if (!jobs) return runOne(recipe, state, places, { ...watched, engine });
    return runJob(recipe, state, places, { ...watched, threads: threadsOf(jobs) });
  };
  const results: PlanResult[] = [];
  const left = plan.recipes.entries();
  /** Takes run after run from what all lanes have left. */
  const lane = async () => {
    for (const [index, recipe] of left)
      results[index] = signal?.aborted ? { name: recipe.name, status: 'waiting', metrics: {} } : await run(recipe);
  };
  await Promise.all(Array.from({ length: jobs?.count ?? 1 }, lane));
  return results;
}

function threadsOf({ count, threads }: Jobs): number {
  return threads ?? Math.max(1, Math.floor(availableParallelism() / count));
}
