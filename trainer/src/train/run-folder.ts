// runs/<id>/: run.json (what was asked for, resolved), checkpoints/, log.jsonl, samples/.
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Domain, GenserveError } from '@genserve/runtime';
import type { DataOptionsInput } from '../data/options.js';
import type { Budget } from './callbacks.js';
import { storageError, writeAtomically } from './checkpoint.js';
import { type TrainingSettings, trainingSettings } from './settings.js';

export interface RunRecord {
  readonly format: 1;
  readonly id: string;
  /** RFC 3339. */
  readonly created: string;
  readonly family: string;
  /** The user's own module that it came from. */
  readonly familyModule?: string | undefined;
  readonly preset: string;
  /** The family's configuration, complete. */
  readonly configuration: unknown;
  readonly training: TrainingSettings;
  /** `spec` opens the data again; absent where the caller gave a Dataset of its own. */
  readonly data: {
    readonly spec?: string | undefined;
    readonly options?: DataOptionsInput | undefined;
    readonly name: string;
    readonly sha256: string;
    /** What was found, and how its parts were cut. */
    readonly summary: string;
    readonly split: string;
  };
  readonly domain: Domain;
  /** Of what rows are paired with. */
  readonly target?: Domain | undefined;
  readonly seed: number;
  /** Bundle or run whose weights it started from. */
  readonly initFrom?: string | undefined;
  /** Bundle that judges samples at each evaluation, and the hash of its graphs and weights. */
  readonly classifier?: { readonly folder: string; readonly name: string; readonly sha256: string } | undefined;
  readonly budget: Budget;
  readonly versions: Readonly<Record<string, string>>;
  readonly command: string;
}

export const runPaths = (folder: string) => ({
  record: join(folder, 'run.json'),
  checkpoints: join(folder, 'checkpoints'),
  log: join(folder, 'log.jsonl'),
  samples: join(folder, 'samples'),
});

/** Makes the folder. Throws INVALID_ARGUMENT where a run is there already: it can be resumed. */
export async function createRunFolder(folder: string, record: RunRecord): Promise<void> {
  const paths = runPaths(folder);
  if (await readRunRecord(folder).catch(() => undefined))
    throw new GenserveError(
      'INVALID_ARGUMENT',
      `name: ${folder} holds a run already; resume it or choose another name`,
      { field: 'name' },
    );
  try {
    await mkdir(paths.checkpoints, { recursive: true });
    await mkdir(paths.samples, { recursive: true });
  } catch (cause) {
    throw storageError(folder, cause);
  }
  await writeAtomically(paths.record, `${JSON.stringify(record, null, 2)}\n`);
}

/** Throws INVALID_ARGUMENT where the folder holds no run. */
export async function readRunRecord(folder: string): Promise<RunRecord> {
  try {
    // Written by createRunFolder; a format of the future is refused below.
    const record = JSON.parse(await readFile(runPaths(folder).record, 'utf8')) as RunRecord;
    // Settings that are newer than the run take their defaults: what it did without them.
    if (record.format === 1) return { ...record, training: trainingSettings.parse(record.training) };
  } catch (cause) {
    throw new GenserveError('INVALID_ARGUMENT', `run: ${folder} holds no run.json that can be read`, {
      field: 'run',
      cause,
    });
  }
  throw new GenserveError('INVALID_ARGUMENT', `run: ${folder} was made by a newer version of genserve`, {
    field: 'run',
  });
}
