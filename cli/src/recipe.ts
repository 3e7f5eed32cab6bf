// What `genserve train` is asked for: preset < --config file < options and --set.
import { GenserveError } from '@genserve/runtime';
import type { PartialRecipe } from '@genserve/trainer';
import { parse as parseYaml } from 'yaml';
import { bundleFolder } from './bundle.js';

export interface TrainFlags {
  readonly family?: string;
  readonly data?: string;
  readonly preset?: string;
  readonly name?: string;
  readonly seed?: number;
  readonly initFrom?: string;
  readonly classifier?: string;
  readonly steps?: number;
  readonly minutes?: number;
  readonly stepsPerRun?: number;
  readonly set?: readonly string[];
}

/** The part of a recipe that the command line states. */
export function recipeOf(flags: TrainFlags, file: PartialRecipe): PartialRecipe {
  const { family, preset, name, seed, initFrom, classifier, steps, minutes, stepsPerRun } = flags;
  const { configuration, training, data, export: exporting } = settingsOf(flags.set ?? []);
  const source = flags.data ?? (typeof file.data === 'string' ? file.data : file.data?.source);
  if (data && source === undefined) {
    throw new GenserveError('INVALID_ARGUMENT', 'data: --set data.<key> needs --data, or data in --config', {
      field: 'data',
    });
  }
  const fromFile = flags.data === undefined && typeof file.data === 'object' ? file.data : {};
  return {
    ...(family !== undefined && { family }),
    ...(preset !== undefined && { preset }),
    ...(name !== undefined && { name }),
    ...(seed !== undefined && { seed }),
    ...(initFrom !== undefined && { initFrom }),
    ...(classifier !== undefined && { classifier: bundleFolder(classifier) }),
    ...(steps !== undefined && { steps }),
    ...(minutes !== undefined && { minutes }),
    ...(data && source !== undefined && { data: { ...fromFile, ...data, source } }),
    ...(!data && flags.data !== undefined && { data: flags.data }),
    ...(configuration && { configuration }),
    ...((training || stepsPerRun !== undefined) && {
      training: { ...training, ...(stepsPerRun !== undefined && { stepsPerRun }) },
    }),
    ...(exporting && { export: exporting }),
  };
}

type Settings = Record<string, unknown>;
const sections = ['configuration', 'training', 'data', 'export'] as const;

/**
 * "latent=32" and "configuration.latent=32" set the family's configuration, "training.batch=128" how it trains,
 * "data.size=32" how the data are opened, "export.testRows=100" how the bundle is made. Values are YAML: numbers, true, [1, 2], {a: 1}; anything else is text.
 */
function settingsOf(assignments: readonly string[]): Partial<Record<(typeof sections)[number], Settings>> {
  const result: Partial<Record<(typeof sections)[number], Settings>> = {};
  for (const assignment of assignments) {
    const equals = assignment.indexOf('=');
    const path = assignment.slice(0, equals).trim().split('.');
    if (equals < 1 || path.some(step => step === '')) {
      throw new GenserveError('INVALID_ARGUMENT', `set: "${assignment}" must be key=value, e.g. training.batch=128`, {
        field: 'set',
      });
    }
    const named = sections.find(section => section === path[0]);
    const section = named ?? 'configuration';
    const steps = named ? path.slice(1) : path;
    if (steps.length === 0) {
      throw new GenserveError('INVALID_ARGUMENT', `set: "${assignment}" names a section; set a key in it`, {
        field: 'set',
      });
    }
    let target: Settings = result[section] ?? {};
    result[section] = target;
    for (const step of steps.slice(0, -1)) {
      const below = target[step];
      const next: Settings = typeof below === 'object' && below !== null ? { ...below } : {};
      target[step] = next;
      target = next;
    }
    target[steps.at(-1)!] = settingValue(assignment.slice(equals + 1), assignment);
  }
  return result;
}

function settingValue(text: string, assignment: string): unknown {
  try {
    return parseYaml(text);
  } catch (cause) {
    throw new GenserveError('INVALID_ARGUMENT', `set: the value of "${assignment}" is not YAML`, {
      field: 'set',
      cause,
    });
  }
}
