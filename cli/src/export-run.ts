// Exporting, with what it says on the way and at the end: for train, resume and export.
import type { ExportOptions } from '@genserve/trainer';
import { Option } from 'commander';
import { positiveInteger } from './options.js';
import { bytes, type Figures, integer, paint, say, warn } from './output.js';
import { scoreStages, stageProgress } from './progress.js';

export interface ExportFlags {
  readonly testRows?: number;
  readonly calibrationRows?: number;
  readonly description?: string;
}

export const exportOptions = {
  testRows: () =>
    new Option('--test-rows <count>', 'test rows whose likelihood the bundle states').argParser(positiveInteger),
  calibrationRows: () =>
    new Option('--calibration-rows <count>', 'held-out rows that calibrate its scores').argParser(positiveInteger),
  description: () => new Option('--description <text>', 'what the model is, for the people who will choose it'),
};

export function exportFlags({ testRows, calibrationRows, description }: ExportFlags): ExportOptions {
  return {
    ...(description !== undefined && { description }),
    ...(calibrationRows !== undefined && { calibrationRows }),
    ...(testRows !== undefined && { evaluation: { rows: testRows } }),
  };
}

const stages = {
  trace: 'tracing the operations',
  ...scoreStages,
  evaluate: 'measuring on test data',
  publish: 'publishing',
};

/** Publishes the next version of a run's bundle and returns what is known of it. */
export async function exportRun(folder: string, options: ExportOptions): Promise<Figures> {
  const { exportBundle } = await import('@genserve/trainer');
  const published = await exportBundle(folder, {
    ...options,
    onProgress: stageProgress(stages),
    onWarning: warn,
  });
  const { manifest } = published;
  const size = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  const parameters = Math.max(0, ...manifest.operations.map(({ cost }) => cost?.parameters ?? 0));
  const metrics = manifest.provenance?.metrics ?? {};
  const operations = manifest.operations.map(({ name }) => name);
  say(
    `${paint('bold', published.folder)}: ${operations.join(', ')}; ${integer(parameters)} parameters, ${bytes(size)}`,
  );
  for (const [name, value] of Object.entries(metrics)) say(`  ${name.padEnd(24)} ${Number(value.toPrecision(6))}`);
  return {
    metrics: { ...metrics, 'bundle.bytes': size, 'bundle.parameters': parameters },
    context: {
      bundle: published.folder,
      name: published.name,
      version: published.version,
      family: manifest.family?.name,
      dataset: manifest.provenance?.dataset,
      dataset_sha256: manifest.provenance?.datasetSha256,
      split: manifest.provenance?.split,
      seed: manifest.provenance?.seed,
      preset: manifest.provenance?.preset,
      versions: manifest.provenance?.versions,
    },
  };
}
