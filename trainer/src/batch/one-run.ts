// One run of a plan: trained, resumed or known to be done, and exported.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ErrorJson, GenserveError, type Manifest, parseManifest } from '@genserve/runtime';
import type { Engine } from '../engine/engine.js';
import { exportBundle } from '../export/export-bundle.js';
import { isFamilyModule } from '../families/load.js';
import { type Callbacks, combine } from '../train/callbacks.js';
import { readRunRecord } from '../train/run-folder.js';
import { resume, type TrainResult, train } from '../train/train.js';
import type { NamedRecipe } from './plan.js';
import { exportOptionsOf, trainOptionsOf } from './recipe.js';
import { type PlanMemory, type RunState, sameRecipe } from './state.js';

export interface PlanResult {
  readonly name: string;
  /** 'stopped' and 'waiting': the plan was interrupted; it can be started again. */
  readonly status: 'done' | 'failed' | 'stopped' | 'waiting';
  readonly bundle?: string | undefined;
  readonly seconds?: number | undefined;
  readonly metrics: Readonly<Record<string, number>>;
  readonly error?: ErrorJson | undefined;
}

/** Folders. */
export interface Places {
  readonly runs: string;
  readonly models: string;
}

export interface RunOptions {
  /** The trainer's own choice when absent. */
  readonly engine?: Engine | undefined;
  /** Ends the run at a checkpoint. */
  readonly signal?: AbortSignal | undefined;
  readonly callbacks?: readonly Callbacks[] | undefined;
  /** What happens to the run: "training", "going on", "exporting", "done before". */
  readonly onAction?: ((action: string) => void) | undefined;
}

/** Never rejects: a failure is a result. */
export async function runOne(
  recipe: NamedRecipe,
  state: PlanMemory,
  places: Places,
  options: RunOptions,
): Promise<PlanResult> {
  const { name } = recipe;
  const folder = join(places.runs, name);
  let run: RunState = { name, recipe, status: 'training' };
  try {
    const before = state.get(name);
    if (before && !sameRecipe(before.recipe, recipe)) {
      throw new GenserveError(
        'CONFIGURATION_INVALID',
        `plan: ${name} was begun with another recipe; give the changed one a name of its own, or remove ${folder} and ${state.path}`,
        { field: 'plan' },
      );
    }
    if (before?.status === 'done') {
      options.onAction?.('done before');
      return resultOf(before, 'done');
    }
    run = before?.status === 'trained' ? before : run;
    if (run.status !== 'trained') {
      await state.set(run);
      const { finished, position } = await trainOne(recipe, folder, places, options);
      if (!finished) return resultOf({ ...run, seconds: position.elapsedSeconds }, 'stopped');
      run = { ...run, status: 'trained', seconds: position.elapsedSeconds };
      await state.set(run);
    }
    const { bundle, manifest } =
      (await published(places.models, name, folder)) ?? (await exportOne(recipe, folder, places, options));
    run = { ...run, status: 'done', bundle, metrics: manifest.provenance?.metrics ?? {} };
    await state.set(run);
    return resultOf(run, 'done');
  } catch (cause) {
    const error = GenserveError.from(cause).toJSON();
    options.onAction?.(`failed: ${error.reason}: ${error.message}`);
    // A recipe that was changed leaves what the plan knows of the old one as it is.
    if (!state.get(name) || sameRecipe(state.get(name)!.recipe, recipe)) {
      await state.set({ ...run, status: run.status === 'trained' ? 'trained' : 'failed', error });
    }
    return resultOf({ ...run, error }, 'failed');
  }
}

async function trainOne(
  recipe: NamedRecipe,
  folder: string,
  { runs }: Places,
  { signal, callbacks, engine, onAction }: RunOptions,
): Promise<TrainResult> {
  const begun = await readRunRecord(folder).catch(() => undefined);
  if (!begun) {
    onAction?.('training');
    const command = `genserve batch (${recipe.name})`;
    return train({ ...trainOptionsOf(recipe), runs, command, engine, signal, callbacks });
  }
  const sameFamily = isFamilyModule(recipe.family) || begun.family === recipe.family;
  if (!sameFamily || begun.budget.steps !== recipe.steps || begun.budget.minutes !== recipe.minutes) {
    throw new GenserveError('INVALID_ARGUMENT', `plan: ${folder} holds another run; give this one a name of its own`, {
      field: 'plan',
    });
  }
  onAction?.('going on');
  return resume(folder, { engine, signal, callbacks });
}

interface Exported {
  readonly bundle: string;
  readonly manifest: Manifest;
}

async function exportOne(
  recipe: NamedRecipe,
  runFolder: string,
  { models }: Places,
  { onAction, callbacks = [] }: RunOptions,
): Promise<Exported> {
  onAction?.('exporting');
  const { onWarning } = combine(callbacks);
  const { folder, manifest } = await exportBundle(runFolder, { ...exportOptionsOf(recipe), out: models, onWarning });
  return { bundle: folder, manifest };
}

/** The bundle of this run, where it was published by a process that ended before it could write that down. */
async function published(models: string, name: string, runFolder: string): Promise<Exported | undefined> {
  const record = await readRunRecord(runFolder);
  const versions = (await readdir(join(models, name)).catch(() => [])).filter(entry => /^[1-9]\d*$/.test(entry));
  const newest = Math.max(0, ...versions.map(Number));
  if (newest === 0) return undefined;
  const bundle = join(models, name, String(newest));
  const manifest = parseManifest(JSON.parse(await readFile(join(bundle, 'manifest.json'), 'utf8')));
  const { created = '', seed, datasetSha256, configuration } = manifest.provenance ?? {};
  const same =
    created > record.created &&
    seed === record.seed &&
    datasetSha256 === record.data.sha256 &&
    configuration === JSON.stringify({ configuration: record.configuration, training: record.training });
  return same ? { bundle, manifest } : undefined;
}

/** What is known of a run that ended so. */
export function resultOf(
  { name, bundle, seconds, metrics, error }: RunState,
  status: PlanResult['status'],
): PlanResult {
  return { name, status, bundle, seconds, metrics: metrics ?? {}, ...(status === 'failed' && { error }) };
}
