// Finding the bundle that a word on the command line means.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { GenserveError } from '@genserve/runtime';

const isFile = (path: string) => existsSync(path) && statSync(path).isFile();
const isFolder = (path: string) => existsSync(path) && statSync(path).isDirectory();

/**
 * The folder of one version: `reference` itself, its greatest version, or the same below `models`
 * ("models/mnist-vae/1", "models/mnist-vae", "mnist-vae", "mnist-vae/1"). Throws MODEL_NOT_FOUND with what there is.
 */
export function bundleFolder(reference: string, models = 'models'): string {
  for (const candidate of [reference, join(models, reference)]) {
    if (isFile(join(candidate, 'manifest.json'))) return candidate;
    if (!isFolder(candidate)) continue;
    const versions = readdirSync(candidate)
      .filter(name => /^[1-9]\d*$/.test(name) && isFile(join(candidate, name, 'manifest.json')))
      .map(Number);
    if (versions.length > 0) return join(candidate, String(Math.max(...versions)));
  }
  const names = isFolder(models) ? readdirSync(models).filter(name => isFolder(join(models, name))) : [];
  const hint = names.length > 0 ? `; ${models}/ has ${names.join(', ')}` : '';
  throw new GenserveError('MODEL_NOT_FOUND', `no bundle at ${reference} (a folder with manifest.json)${hint}`, {
    field: 'bundle',
  });
}
