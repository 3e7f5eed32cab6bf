// Families by name, or from a module that a user wrote (contract, section 6).
import { resolve } from 'node:path';
import { invalid } from '@genserve/runtime';
import type { Family } from '../family.js';
import { importModule } from '../import-module.js';
import type { RunRecord } from '../train/run-folder.js';
import { familyNamed } from './registry.js';

/** Whether a family is given as a file rather than by name. */
export function isFamilyModule(family: string): boolean {
  return /\.m?[jt]s$/.test(family);
}

/** Throws CONFIGURATION_INVALID for an unknown name, INVALID_ARGUMENT for a module that exports no family. */
export async function loadFamily(family: string): Promise<Family> {
  if (!isFamilyModule(family)) return familyNamed(family);
  const exported = (await importModule(family, 'family')).family;
  const members = { name: 'string', configuration: 'object', presets: 'object', training: 'object', build: 'function' };
  for (const [member, type] of Object.entries(members)) {
    // Any value may be asked for its members once it is an object.
    const found = typeof exported === 'object' && exported ? (exported as Record<string, unknown>)[member] : undefined;
    if (typeof found !== type) {
      throw invalid(
        'family',
        `${family} must export \`family\`, a Family; its member ${member} is ${typeof found}, not ${type}`,
      );
    }
  }
  return exported as Family; // looked at above
}

/** The family of a run, from the module that it was started with where there was one. */
export function familyOf({ family, familyModule }: Pick<RunRecord, 'family' | 'familyModule'>): Promise<Family> {
  return loadFamily(familyModule ?? family);
}

/** What a record keeps of a family that was given as a file. */
export function moduleOf(family: string | Family): { familyModule?: string } {
  return typeof family === 'string' && isFamilyModule(family) ? { familyModule: resolve(family) } : {};
}
