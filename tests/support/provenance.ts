// What the manifest of a shipped bundle says of how it was made.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './paths.js';

/** Minutes of the clock that training the newest version of `bundle`, e.g. "models/mnist-vae", took. */
export function trainingMinutes(bundle: string): number {
  const versions = readdirSync(join(root, bundle)).map(Number);
  const manifest = readFileSync(join(root, bundle, String(Math.max(...versions)), 'manifest.json'), 'utf8');
  return JSON.parse(manifest).provenance.trainingSeconds / 60;
}
