// A run of a plan in a process of its own, seen from the one that started it: job-process.ts is the other end.
import { fork } from 'node:child_process';
import { GenserveError, serialQueue } from '@genserve/runtime';
import { combine } from '../train/callbacks.js';
import { type Places, type PlanResult, type RunOptions, resultOf } from './one-run.js';
import type { NamedRecipe } from './plan.js';
import type { PlanMemory, RunState } from './state.js';

/** The first message to the process; any other asks it to stop. */
export interface Job {
  readonly recipe: NamedRecipe;
  readonly places: Places;
  readonly threads: number;
  /** What the plan knows of the run, and where it keeps that. */
  readonly before: RunState | undefined;
  readonly statePath: string;
}

/** Events that are handed on. */
export const REPORTED = ['onTrainBegin', 'onTrainEnd', 'onStepEnd', 'onEvaluate', 'onWarning'] as const;

export type JobReport =
  | { readonly kind: 'action'; readonly action: string }
  | { readonly kind: 'event'; readonly name: (typeof REPORTED)[number]; readonly argument: unknown }
  | { readonly kind: 'state'; readonly run: RunState }
  | { readonly kind: 'result'; readonly result: PlanResult };

export interface JobOptions extends Omit<RunOptions, 'engine'> {
  readonly threads: number;
}

/** Never rejects: a process that is lost is a run that failed. */
export async function runJob(
  recipe: NamedRecipe,
  state: PlanMemory,
  places: Places,
  { threads, signal, callbacks = [], onAction }: JobOptions,
): Promise<PlanResult> {
  const { name } = recipe;
  const watchers = combine(callbacks);
  // the same file from src/ and from dist/; structured clones keep what JSON does not, as a loss that is not a number
  const child = fork(new URL('../../dist/batch/job-process.js', import.meta.url), { serialization: 'advanced' });
  const inTurn = serialQueue();
  let result: PlanResult | undefined;
  const hear = async (report: JobReport): Promise<void> => {
    if (report.kind === 'action') onAction?.(report.action);
    if (report.kind === 'state') await state.set(report.run);
    if (report.kind === 'result') result = report.result;
    // of the type that the event has: the other end is the same program
    if (report.kind === 'event') await watchers[report.name](report.argument as never);
  };
  child.on('message', (report: JobReport) => void inTurn(() => hear(report)));
  const stop = () => child.connected && child.send('stop');
  signal?.addEventListener('abort', stop);
  const ended = new Promise<string>(resolve => {
    child.once('error', error => resolve(error.message));
    child.once('exit', (code, killer) => resolve(killer ?? `code ${code}`));
  });
  const job: Job = { recipe, places, threads, before: state.get(name), statePath: state.path };
  child.send(job);
  const how = await ended;
  signal?.removeEventListener('abort', stop);
  await inTurn(async () => undefined); // all that it said has been heard
  return result ?? lost(recipe, state, how, onAction);
}

async function lost(
  recipe: NamedRecipe,
  state: PlanMemory,
  how: string,
  onAction: RunOptions['onAction'],
): Promise<PlanResult> {
  const error = new GenserveError('INTERNAL', `the process that trained ${recipe.name} ended with ${how}`).toJSON();
  onAction?.(`failed: ${error.message}`);
  const run = { ...(state.get(recipe.name) ?? { name: recipe.name, recipe, status: 'failed' }), error } as const;
  return resultOf(run, 'failed');
}
