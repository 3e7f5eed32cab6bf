// Starts and resumes runs.
import { join, resolve } from 'node:path';
import { checkSeed, GenserveError, invalid } from '@genserve/runtime';
import type { Dataset } from '../data/dataset.js';
import { absoluteSpec, openDataset } from '../data/open.js';
import type { DataOptionsInput } from '../data/options.js';
import type { Engine } from '../engine/engine.js';
import { familyOf, loadFamily, moduleOf } from '../families/load.js';
import type { Family } from '../family.js';
import { mergeObjects } from '../merge.js';
import { countNumbers } from '../nn/variable.js';
import { parseSettings } from '../parse-settings.js';
import { reporter } from '../report/write-report.js';
import { versions } from '../version.js';
import { type Budget, type Callbacks, combine } from './callbacks.js';
import { latestCheckpoint, loadBest, type Position, saveBest, saveCheckpoint } from './checkpoint.js';
import { defaultEngine } from './default-engine.js';
import { matchInitial, readInitial } from './init-from.js';
import { firstState } from './initialise.js';
import { logger } from './log.js';
import { trainingLoop } from './loop.js';
import { Monitor } from './monitor.js';
import { buildModel, checkSteps, modelDomain, parseConfiguration, prepareRun } from './run.js';
import { noteClassifier, openRunClassifier } from './run-classifier.js';
import { createRunFolder, type RunRecord, readRunRecord, runPaths } from './run-folder.js';
import { trainingSettings } from './settings.js';

interface RunOptions {
  /** Compiled on the CPU when absent. */
  readonly engine?: Engine | undefined;
  /** Stops after the step in progress, with a checkpoint. */
  readonly signal?: AbortSignal | undefined;
  readonly callbacks?: readonly Callbacks[] | undefined;
}

export interface TrainOptions extends RunOptions {
  /** A family of `families`, the path of a module that exports `family`, or one of the caller's own. */
  readonly family: string | Family;
  /** What `openDataset` takes, or a data set of the caller's own. */
  readonly data: string | Dataset;
  readonly dataOptions?: DataOptionsInput | undefined;
  /** The family's default when absent. */
  readonly preset?: string | undefined;
  /** Overrides of the preset. */
  readonly configuration?: object | undefined;
  /** Overrides of the family's training settings, e.g. {batch: 128, optimiser: {learningRate: 1e-3}}. */
  readonly training?: object | undefined;
  /** 0 when absent. */
  readonly seed?: number | undefined;
  /** A bundle's folder, models/<name>/<version>, or a run's, whose weights it starts from. */
  readonly initFrom?: string | undefined;
  /** A classifier's bundle, models/<name>/<version>, that judges samples at each evaluation; none when absent. */
  readonly classifier?: string | undefined;
  /** The budget: steps, minutes, or both: then schedules follow the steps, and the minutes are a guard. */
  readonly steps?: number | undefined;
  readonly minutes?: number | undefined;
  /** Folder of all runs; 'runs' when absent. */
  readonly runs?: string | undefined;
  /** Folder of this one, below it; family, data and time of day when absent. */
  readonly name?: string | undefined;
  /** Kept in the record and in the bundle's provenance. */
  readonly command?: string | undefined;
}

export interface ResumeOptions extends RunOptions {
  /** Needed where the run was started with a Dataset or Family of the caller's own. */
  readonly dataset?: Dataset | undefined;
  readonly family?: Family | undefined;
}

export interface TrainResult {
  readonly folder: string;
  readonly position: Position;
  /** False where `signal` ended it before its budget was spent. */
  readonly finished: boolean;
}

/** Trains a new run to the end of its budget. Throws CONFIGURATION_INVALID or INVALID_ARGUMENT before anything is written. */
export async function train(options: TrainOptions): Promise<TrainResult> {
  const family = typeof options.family === 'string' ? await loadFamily(options.family) : options.family;
  const budget = budgetOf(options);
  const seed = checkSeed(options.seed ?? 0);
  const preset = options.preset ?? family.defaultPreset;
  const presetConfiguration = Object.hasOwn(family.presets, preset) ? family.presets[preset] : undefined;
  if (!presetConfiguration)
    throw new GenserveError(
      'CONFIGURATION_INVALID',
      `preset: ${family.name} has no preset "${preset}"; it has ${Object.keys(family.presets).join(', ')}`,
      { field: 'preset' },
    );
  const configuration = parseConfiguration(family, mergeObjects(presetConfiguration, options.configuration ?? {}));
  const suggested = mergeObjects(family.training, family.presetTraining?.[preset] ?? {});
  const training = parseSettings(trainingSettings, mergeObjects(suggested, options.training ?? {}), 'training');
  const dataset =
    typeof options.data === 'string' ? await openDataset(options.data, options.dataOptions) : options.data;
  const created = new Date().toISOString();
  const id = options.name ?? `${family.name}-${dataset.name}-${created.slice(0, 19).replaceAll(/[:T]/g, '-')}`;
  const draft: RunRecord = {
    format: 1,
    id,
    created,
    family: family.name,
    ...moduleOf(options.family),
    preset,
    configuration,
    training,
    data: {
      ...(typeof options.data === 'string' && { spec: absoluteSpec(options.data), options: options.dataOptions ?? {} }),
      name: dataset.name,
      sha256: dataset.sha256,
      summary: dataset.summary,
      split: dataset.split,
    },
    domain: modelDomain(family, configuration, dataset.domain),
    ...(dataset.target && { target: dataset.target }),
    seed,
    ...(options.initFrom !== undefined && { initFrom: resolve(options.initFrom) }),
    budget,
    versions: versions(),
    command: options.command ?? '',
  };
  const { model, variables } = buildModel(draft, family);
  checkSteps(model, training);
  if (!dataset.target && model.stages.some(({ steps }) => steps.some(({ target }) => target)))
    throw invalid(
      'data',
      `${family.name} learns from pairs, and ${dataset.name} has none; emoji-pairs is a set of pairs`,
    );
  if (draft.initFrom !== undefined) matchInitial(await readInitial(draft.initFrom), variables);
  const { classifier } = options;
  const record = {
    ...draft,
    ...(classifier !== undefined && { classifier: await noteClassifier(classifier, model, draft) }),
  };
  const folder = join(options.runs ?? 'runs', id);
  await createRunFolder(folder, record);
  return fit(folder, record, dataset, family, options);
}

/** Goes on from the newest whole checkpoint, bit for bit where the engine and its threads are the same. */
export async function resume(folder: string, options: ResumeOptions = {}): Promise<TrainResult> {
  const record = await readRunRecord(folder);
  const dataset = await reopenDataset(record, options.dataset);
  return fit(folder, record, dataset, options.family ?? (await familyOf(record)), options);
}

/** The data of a run, opened again. Throws INVALID_ARGUMENT where they have changed since. */
export async function reopenDataset(record: RunRecord, given?: Dataset): Promise<Dataset> {
  const { spec, options, name, sha256 } = record.data;
  if (!given && spec === undefined)
    throw new GenserveError(
      'INVALID_ARGUMENT',
      `dataset: the run was started with a data set of the caller's own (${name}); pass it`,
      {
        field: 'dataset',
      },
    );
  const dataset = given ?? (await openDataset(spec!, options));
  if (dataset.sha256 !== sha256)
    throw new GenserveError(
      'INVALID_ARGUMENT',
      `data: ${name} is not what it was when the run began (its hash differs)`,
      {
        field: 'data',
      },
    );
  return dataset;
}

async function fit(
  folder: string,
  record: RunRecord,
  dataset: Dataset,
  family: Family,
  options: RunOptions,
): Promise<TrainResult> {
  const callbacks = combine([logger(folder), reporter(folder), ...(options.callbacks ?? [])]);
  const engine = options.engine ?? (await defaultEngine());
  const run = await prepareRun(record, engine, family);
  const judge = await openRunClassifier(record, callbacks.onWarning);
  const monitor = await Monitor.create(record, dataset, run, engine, judge);
  const { checkpoints } = runPaths(folder);
  const broken: string[] = [];
  const found = await latestCheckpoint(checkpoints, (path, reason) => broken.push(`${path} is passed over: ${reason}`));
  for (const message of broken) await callbacks.onWarning(message);
  if (found && found.position.engine !== engine.description)
    await callbacks.onWarning(
      `the checkpoint was made by ${found.position.engine}, this is ${engine.description}: results will differ in the last bits`,
    );
  const { domain, training, seed } = record;
  const given = async () => {
    if (record.initFrom === undefined) return undefined;
    const { values, fresh } = matchInitial(await readInitial(record.initFrom), run.variables);
    if (fresh.length > 0)
      await callbacks.onWarning(`${record.initFrom} has nothing of ${fresh.join(', ')}: freshly drawn`);
    return values;
  };
  const state =
    found?.state ??
    (await firstState({
      ...{ run, data: dataset.train, domain, batch: training.batch, seed, engine },
      augmentation: dataset.augmentation,
      given: await given(),
    }));
  const start: Position = {
    ...(found?.position ?? { step: 0, updates: {}, skipped: 0, elapsedSeconds: 0 }),
    engine: engine.description,
  };
  await callbacks.onTrainBegin({
    folder,
    engine: engine.description,
    parameters: countNumbers(run.variables.filter(({ trainable }) => trainable)),
    startStep: start.step,
    budget: record.budget,
    ...(judge && { classifier: { name: judge.name, sha256: judge.hash } }),
  });
  try {
    const position = await trainingLoop(state, {
      record,
      run,
      dataset,
      monitor,
      folder,
      start,
      signal: options.signal,
      callbacks,
      store: {
        save: (at, values) => saveCheckpoint(checkpoints, at, values),
        saveBest: (at, values) => saveBest(checkpoints, at, values),
        loadBest: () => loadBest(checkpoints),
      },
    });
    const finished = !options.signal?.aborted;
    await callbacks.onTrainEnd({ step: position.step, elapsedSeconds: position.elapsedSeconds, finished });
    return { folder, position, finished };
  } finally {
    await monitor.close();
    for (const { steps, together } of run.stages) {
      await together?.executable.close();
      for (const { executable } of steps) await executable.close();
    }
  }
}

function budgetOf({ steps, minutes }: TrainOptions): Budget {
  if (steps === undefined && minutes === undefined)
    throw new GenserveError('INVALID_ARGUMENT', 'steps: give a budget: steps, minutes, or both (minutes as a guard)', {
      field: 'steps',
    });
  if (steps !== undefined && !(Number.isInteger(steps) && steps > 0))
    throw new GenserveError('INVALID_ARGUMENT', `steps: must be a positive integer, was ${steps}`, { field: 'steps' });
  if (minutes !== undefined && !(minutes > 0))
    throw new GenserveError('INVALID_ARGUMENT', `minutes: must be positive, was ${minutes}`, { field: 'minutes' });
  return { ...(steps !== undefined && { steps }), ...(minutes !== undefined && { minutes }) };
}
