// A plan: recipes that are trained and exported one after another.
import { basename, dirname, extname, isAbsolute, join } from 'node:path';
import { GenserveError } from '@genserve/runtime';
import { z } from 'zod';
import { parseSettings } from '../parse-settings.js';
import {
  checkRecipe,
  mergeRecipes,
  type PartialRecipe,
  partialRecipeSchema,
  type Recipe,
  readRecipe,
  readYaml,
  recipeSchema,
  resolvePaths,
} from './recipe.js';

const planSchema = z.strictObject({
  /** Of the plan; its file's name when absent. */
  name: z.string().optional(),
  /** Folder of the runs, and of what the plan remembers; 'runs' when absent. */
  runs: z.string().optional(),
  /** Model repository; 'models' when absent. */
  models: z.string().optional(),
  /** What all runs share; each run overrides it. */
  defaults: partialRecipeSchema.optional(),
  plan: z
    .array(
      partialRecipeSchema.extend({
        name: recipeSchema.shape.name.unwrap(),
        /** A recipe file that this run starts from, seen from the plan's folder. */
        recipe: z.string().optional(),
      }),
    )
    .min(1),
});

export type NamedRecipe = Recipe & { readonly name: string };

export interface Plan {
  readonly name: string;
  readonly runs: string;
  readonly models: string;
  readonly recipes: readonly NamedRecipe[];
}

/** Throws CONFIGURATION_INVALID with the field, e.g. "plan.1.steps", before anything is trained. */
export async function readPlan(path: string): Promise<Plan> {
  const value = await readYaml(path);
  parseSettings(planSchema, value, '');
  const plan = value as z.input<typeof planSchema>; // checked above; defaults are left to who reads them
  const folder = dirname(path);
  const recipes: NamedRecipe[] = [];
  for (const [index, { recipe, ...own }] of plan.plan.entries()) {
    const file = recipe === undefined ? {} : await readRecipe(isAbsolute(recipe) ? recipe : join(folder, recipe));
    const defaults = resolvePaths(plan.defaults ?? {}, folder);
    const merged: PartialRecipe = mergeRecipes(mergeRecipes(defaults, file), resolvePaths(own, folder));
    const { name } = own;
    if (recipes.some(other => other.name === name)) {
      throw new GenserveError('CONFIGURATION_INVALID', `plan.${index}.name: two runs are called ${name}`, {
        field: `plan.${index}.name`,
      });
    }
    recipes.push({ ...checkRecipe(merged, `plan.${index}`), name });
  }
  return {
    name: plan.name ?? basename(path, extname(path)),
    runs: plan.runs ?? 'runs',
    models: plan.models ?? 'models',
    recipes,
  };
}
