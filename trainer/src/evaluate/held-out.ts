// The protocol of held-out classes: a model of all classes but one is a model of normality; the class that it has never
// seen, among the test data, is the anomaly. One model for each class and family; what is done is never done again.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GenserveError, invalid, type Manifest, parseManifest } from '@genserve/runtime';
import { labelsOf } from '../data/assemble.js';
import type { Dataset } from '../data/dataset.js';
import { openDataset } from '../data/open.js';
import type { Engine } from '../engine/engine.js';
import { exportBundle } from '../export/export-bundle.js';
import { openGenerator } from '../export/open.js';
import { familyNamed } from '../families/registry.js';
import { offeredScores } from '../scores/offered.js';
import { spread } from '../scores/rows.js';
import { scoreValues } from '../scores/values.js';
import { type Callbacks, combine } from '../train/callbacks.js';
import { writeAtomically } from '../train/checkpoint.js';
import { readRunRecord } from '../train/run-folder.js';
import { resume, train } from '../train/train.js';
import { bootstrapAupr, interval } from './bootstrap.js';
import { type Ranking, rank } from './ranking.js';

export interface HeldOutOptions {
  /** What `openDataset` takes; labelled. */
  readonly data: string;
  readonly families: readonly string[];
  /** Classes by number; all when absent. */
  readonly classes?: readonly number[] | undefined;
  /** Budget of each model; minutes by family when both are absent (see MINUTES). */
  readonly minutes?: number | undefined;
  readonly steps?: number | undefined;
  /** Folder of the runs, and of their bundles in `models/` below it. */
  readonly runs: string;
  /** Test rows that are scored, from all over them; all when absent. */
  readonly limit?: number | undefined;
  readonly seed?: number | undefined;
  readonly engine?: Engine | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly callbacks?: readonly Callbacks[] | undefined;
  readonly onModel?: ((name: string, what: 'training' | 'exporting' | 'scoring' | 'scored before') => void) | undefined;
}

export interface HeldOutRow extends Ranking {
  readonly family: string;
  readonly label: number;
  readonly score: string;
  /** 95 % bootstrap interval of aupr over test rows. */
  readonly auprInterval: readonly [number, number];
}

export interface RankedImages {
  readonly family: string;
  readonly label: number;
  /** Test rows: most anomalous first; the held-out ones that rank lowest; the normal ones that rank highest. */
  readonly top: readonly number[];
  readonly missed: readonly number[];
  readonly alarms: readonly number[];
}

export interface HeldOutResult {
  readonly data: string;
  readonly classes: readonly {
    readonly label: number;
    readonly name: string;
    readonly skew: number;
    readonly floor: number;
  }[];
  readonly rows: readonly HeldOutRow[];
  /** By family: the one score for all classes, the best on synthetic anomalies, averaged over the classes. */
  readonly chosen: Readonly<Record<string, string>>;
  /** By "<family>.<score>": of AUPR over the classes, with the bootstrap interval of the mean. */
  readonly summaries: Readonly<Record<string, { mean: number; median: number; interval: readonly [number, number] }>>;
  readonly images: readonly RankedImages[];
}

/** About what the models of the thesis took, on two cores. */
const MINUTES: Readonly<Record<string, number>> = { 'gated-pixelcnn': 12 };
const DEFAULT_MINUTES = 6;
/** What a family is trained with for scoring, where it differs from its default. */
const SETTINGS: Readonly<Record<string, { preset?: string; configuration?: object }>> = {
  'gated-pixelcnn': { configuration: { background: 0.2 } },
  dcgan: { preset: 'scoring' },
};
const RESAMPLES = 200;
const PICTURES = 10;

/** What a model said of the test rows: kept beside its run, so that a bundle is scored once. */
interface StoredScores {
  readonly bundle: number;
  readonly rows: number;
  readonly recommendation: Readonly<Record<string, number>>;
  readonly values: Readonly<Record<string, readonly number[]>>;
}

/** Throws INVALID_ARGUMENT for unlabelled data, CANCELLED where `signal` ends a training before its budget. */
export async function heldOutClasses(options: HeldOutOptions): Promise<HeldOutResult> {
  const dataset = await openDataset(options.data);
  const names = labelsOf(dataset.domain);
  const test = spread(dataset.test, options.limit ?? dataset.test.count);
  const { labels } = await test.read(Array.from({ length: test.count }, (_, row) => row));
  if (!labels || names.length < 2) throw invalid('data', `${dataset.name} must have classes to hold one out`);
  const classes = options.classes ?? [...names.keys()];
  for (const label of classes)
    if (!(label in names)) throw invalid('classes', `${label} is no class; there are 0 to ${names.length - 1}`);
  const stored: { family: string; label: number; scores: StoredScores }[] = [];
  for (const family of options.families)
    for (const label of classes)
      stored.push({ family, label, scores: await modelWithout(label, family, dataset, options) });

  const split = (values: readonly number[], label: number) => ({
    normal: values.filter((_, row) => labels[row] !== label),
    anomalous: values.filter((_, row) => labels[row] === label),
  });
  const chosen = Object.fromEntries(
    options.families.map(family => [
      family,
      chooseScore(stored.filter(item => item.family === family).map(item => item.scores)),
    ]),
  );
  const rows: HeldOutRow[] = [];
  const samples = new Map<string, Float64Array[]>();
  for (const { family, label, scores } of stored)
    for (const [score, values] of Object.entries(scores.values)) {
      const { normal, anomalous } = split(values, label);
      const resampled = bootstrapAupr(normal, anomalous, RESAMPLES, options.seed ?? 0);
      rows.push({ family, label, score, ...rank(normal, anomalous), auprInterval: interval(resampled) });
      const key = `${family}.${score}`;
      samples.set(key, [...(samples.get(key) ?? []), resampled]);
    }
  return {
    data: dataset.name,
    classes: classes.map(label => {
      const positives = labels.filter(other => other === label).length;
      const [{ auprFloor } = { auprFloor: 0 }] = rows.filter(row => row.label === label);
      return { label, name: names[label]!, skew: positives / labels.length, floor: auprFloor };
    }),
    rows,
    chosen,
    summaries: Object.fromEntries([...samples].map(([key, parts]) => [key, summaryOf(key, rows, parts)])),
    images: stored.map(({ family, label, scores }) => ranked(family, label, scores.values[chosen[family]!]!, labels)),
  };
}

/** Trains, exports and scores the model that has not seen a class, or takes up what an earlier call has left of that. */
async function modelWithout(
  label: number,
  family: string,
  dataset: Dataset,
  options: HeldOutOptions,
): Promise<StoredScores> {
  const { runs, steps, engine, signal, callbacks, limit, onModel } = options;
  const name = `${family}-${dataset.name}-without-${label}`;
  const folder = join(runs, name);
  const models = join(runs, 'models');
  const budget = steps === undefined ? { minutes: options.minutes ?? MINUTES[family] ?? DEFAULT_MINUTES } : { steps };
  const scoresFile = join(folder, 'test-scores.json');
  let bundle = await newestBundle(models, name);
  if (!bundle || lacksScores(bundle.manifest)) {
    onModel?.(name, 'training');
    const begun = await readRunRecord(folder).catch(() => undefined);
    const shared = { engine, signal, callbacks };
    const { preset, configuration } = SETTINGS[family] ?? {};
    const presets = Object.keys(familyNamed(family).presets);
    const { finished } = begun
      ? await resume(folder, shared)
      : await train({
          ...{ family, configuration, ...budget, runs, name, ...shared },
          preset: preset && presets.includes(preset) ? preset : undefined,
          data: options.data,
          dataOptions: { without: label },
          seed: options.seed ?? 0,
          command: `genserve evaluate --protocol held-out-class (${name})`,
        });
    if (!finished) throw new GenserveError('CANCELLED', `${name} was stopped; the same command goes on from here`);
    onModel?.(name, 'exporting');
    const { onWarning } = combine(callbacks ?? []);
    const exported = await exportBundle(folder, { out: models, name: name.toLowerCase(), onWarning });
    bundle = { path: exported.folder, manifest: exported.manifest, version: exported.version };
  }
  const kept = await readStored(scoresFile);
  if (kept?.bundle === bundle.version && kept.rows === (limit ?? dataset.test.count)) {
    onModel?.(name, 'scored before');
    return kept;
  }
  onModel?.(name, 'scoring');
  const generator = await openGenerator(bundle.path);
  try {
    // The label of a held-out class is none that the model has learned.
    const names = bundle.manifest.scores.filter(({ usesLabel }) => !usesLabel).map(({ name }) => name);
    const rows = spread(dataset.test, limit ?? dataset.test.count);
    const { values } = await scoreValues(generator, rows, { scores: names, signal });
    const figures = Object.entries(bundle.manifest.provenance?.metrics ?? {});
    const recommendation = figures.flatMap(([key, value]) => {
      const score = /^recommendation\.([^.]+)$/.exec(key)?.[1];
      return score === undefined ? [] : [[score, value] as const];
    });
    const scores: StoredScores = {
      bundle: bundle.version,
      rows: limit ?? dataset.test.count,
      recommendation: Object.fromEntries(recommendation),
      values: Object.fromEntries([...values].map(([score, numbers]) => [score, [...numbers]])),
    };
    await writeAtomically(scoresFile, JSON.stringify(scores));
    return scores;
  } finally {
    await generator.close();
  }
}

interface FoundBundle {
  readonly path: string;
  readonly version: number;
  readonly manifest: Manifest;
}

async function newestBundle(models: string, name: string): Promise<FoundBundle | undefined> {
  const parent = join(models, name.toLowerCase());
  const versions = (await readdir(parent).catch(() => [])).filter(entry => /^[1-9]\d*$/.test(entry)).map(Number);
  if (versions.length === 0) return undefined;
  const version = Math.max(...versions);
  const path = join(parent, String(version));
  return { path, version, manifest: parseManifest(JSON.parse(await readFile(join(path, 'manifest.json'), 'utf8'))) };
}

/** A score was added since: the bundle is exported again, without training. */
function lacksScores(manifest: Manifest): boolean {
  const there = new Set(manifest.scores.map(({ name }) => name));
  return offeredScores(manifest).some(({ name }) => !there.has(name));
}

async function readStored(path: string): Promise<StoredScores | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as StoredScores); // written above, as a whole
}

/** The score with the greatest mean on synthetic anomalies over all models of a family: no label, no real anomaly. */
function chooseScore(models: readonly StoredScores[]): string {
  const mean = (score: string) => models.reduce((sum, { recommendation }) => sum + (recommendation[score] ?? 0), 0);
  return Object.keys(models[0]!.values).reduce((best, score) => (mean(score) > mean(best) ? score : best));
}

function summaryOf(key: string, rows: readonly HeldOutRow[], samples: readonly Float64Array[]) {
  const values = rows.filter(({ family, score }) => `${family}.${score}` === key).map(({ aupr }) => aupr);
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const means = samples[0]!.map((_, i) => samples.reduce((sum, part) => sum + part[i]!, 0) / samples.length);
  return {
    mean: values.reduce((sum, value) => sum + value, 0) / values.length,
    median: (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2,
    interval: interval(means),
  };
}

function ranked(family: string, label: number, values: readonly number[], labels: Int32Array): RankedImages {
  const order = [...values.keys()].sort((a, b) => values[b]! - values[a]!);
  const heldOut = order.filter(row => labels[row] === label);
  const normal = order.filter(row => labels[row] !== label);
  return {
    family,
    label,
    top: order.slice(0, PICTURES),
    missed: heldOut.slice(-PICTURES).reverse(),
    alarms: normal.slice(0, PICTURES),
  };
}
