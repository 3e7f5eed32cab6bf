// A recipe: what to train, as a YAML file, a part of a plan, or the options of `genserve train`.
import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { GenserveError } from '@genserve/runtime';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { dataOptions } from '../data/options.js';
import type { ExportOptions } from '../export/export-bundle.js';
import { mergeObjects } from '../merge.js';
import { parseSettings } from '../parse-settings.js';
import type { TrainOptions } from '../train/train.js';

const settings = z.record(z.string(), z.unknown());

export const recipeSchema = z.strictObject({
  /** Of the run's folder, and of the bundle that it makes. */
  name: z
    .string()
    .regex(/^[a-z0-9-]{1,63}$/, 'must be 1 to 63 of a-z, 0-9 and -')
    .optional(),
  /** A family's name, or a module of the user's own (./mine.ts). */
  family: z.string(),
  preset: z.string().optional(),
  /** A data set's name or a path; or {source: name or path, ...options}. */
  data: z.union([z.string(), dataOptions.extend({ source: z.string() }).partial().required({ source: true })]),
  /** Overrides of the preset. */
  configuration: settings.optional(),
  /** Overrides of the family's training settings. */
  training: settings.optional(),
  seed: z.int().min(0).optional(),
  /** A bundle's folder, or a run's, whose weights training starts from. */
  initFrom: z.string().optional(),
  /** A classifier's bundle, models/<name>/<version>, that judges samples at each evaluation. */
  classifier: z.string().optional(),
  /** The budget: one of the two, or both: then schedules follow the steps, and the minutes are a guard. */
  steps: z.int().min(1).optional(),
  minutes: z.number().positive().optional(),
  /** How the bundle is made. */
  export: z
    .strictObject({
      description: z.string().optional(),
      /** SPDX identifier of the weights' licence. */
      licence: z.string().optional(),
      /** Held-out rows that calibrate the anomaly scores. */
      calibrationRows: z.int().min(1).optional(),
      /** Test rows whose likelihood the manifest states, and importance samples of each. */
      testRows: z.int().min(1).optional(),
      draws: z.int().min(1).optional(),
    })
    .optional(),
});
export type Recipe = z.input<typeof recipeSchema>;
export const partialRecipeSchema = recipeSchema.partial();

/** All that a recipe may leave to a plan's defaults or to the command line. */
export type PartialRecipe = z.input<typeof partialRecipeSchema>;

/** Throws CONFIGURATION_INVALID with the field, and the nearest known one where it is unknown. */
export function checkRecipe(value: unknown, field = ''): Recipe {
  parseSettings(recipeSchema, value, field);
  // Checked above; defaults are filled in by who reads it.
  return value as Recipe;
}

/** A YAML file with any part of a recipe. Relative paths in it start at its own folder. */
export async function readRecipe(path: string): Promise<PartialRecipe> {
  const recipe = await readYaml(path);
  parseSettings(partialRecipeSchema, recipe, path);
  // Checked above; defaults are left to who reads it, so that merging sees what was written and nothing else.
  return resolvePaths(recipe as PartialRecipe, dirname(path));
}

export async function readYaml(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new GenserveError('INVALID_ARGUMENT', `config: ${path} cannot be read`, { field: 'config', cause });
  }
  try {
    return parseYaml(text) ?? {};
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new GenserveError('CONFIGURATION_INVALID', `${path} is not YAML: ${why}`, { field: 'config', cause });
  }
}

/** Data, families and bundles that are given as ./paths, seen from `folder`. */
export function resolvePaths(recipe: PartialRecipe, folder: string): PartialRecipe {
  const seen = (path: string) => (/^\.{1,2}\//.test(path) && !isAbsolute(path) ? join(folder, path) : path);
  const { data, family, initFrom, classifier } = recipe;
  return {
    ...recipe,
    ...(family !== undefined && { family: seen(family) }),
    ...(initFrom !== undefined && { initFrom: seen(initFrom) }),
    ...(classifier !== undefined && { classifier: seen(classifier) }),
    ...(data !== undefined && {
      data: typeof data === 'string' ? seen(data) : { ...data, source: seen(data.source) },
    }),
  };
}

/** `override` laid over `base`; settings are laid over settings, everything else replaces. A budget replaces the other. */
export function mergeRecipes(base: PartialRecipe, override: PartialRecipe): PartialRecipe {
  const budget = override.steps !== undefined || override.minutes !== undefined;
  const { steps, minutes, ...rest } = base;
  const merged: PartialRecipe = { ...(budget ? rest : base), ...override };
  for (const key of ['configuration', 'training', 'export'] as const) {
    if (base[key] && override[key]) merged[key] = mergeObjects(base[key], override[key]);
  }
  if (typeof base.data === 'object' && typeof override.data === 'object')
    merged.data = { ...base.data, ...override.data };
  return merged;
}

/** What `train` takes for a recipe. */
export function trainOptionsOf(recipe: Recipe): TrainOptions {
  const { data, export: _, ...rest } = recipe;
  const { source, ...options } = typeof data === 'string' ? { source: data } : data;
  return { ...rest, data: source, dataOptions: options };
}

/** What `exportBundle` takes for a recipe. */
export function exportOptionsOf({ name, export: settings = {} }: Pick<Recipe, 'name' | 'export'>): ExportOptions {
  const { testRows = 1000, draws = 100, ...options } = settings;
  return { ...options, name, evaluation: { rows: testRows, k: draws } };
}
