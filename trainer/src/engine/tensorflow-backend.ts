// TensorFlow's own backend for the eager engine: native packages that users install beside genserve, looked for on demand.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { GenserveError } from '@genserve/runtime';
import { tf } from '../trace/tensorflow.js';

const packages = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'];

/**
 * Registers the backend 'tensorflow' from the first package that is installed, beside genserve or in the working folder.
 * @throws BACKEND_UNAVAILABLE where none is, or where it does not load.
 */
export async function loadTensorflow(): Promise<void> {
  if (tf.findBackend('tensorflow') !== null) return;
  const path = packages.flatMap(found)[0];
  if (path === undefined)
    throw unavailable(`neither ${packages.join(' nor ')} is installed; npm install ${packages[0]}@4.22.0`);
  try {
    await import(pathToFileURL(path).href);
  } catch (cause) {
    throw unavailable(`${path} does not load: ${cause instanceof Error ? cause.message : cause}`, cause);
  }
  if (tf.findBackend('tensorflow') === null)
    throw unavailable(`${path} registers with another copy of TensorFlow.js; it must be version ${tf.version_core}`);
}

function found(name: string): string[] {
  for (const from of [import.meta.url, pathToFileURL(join(process.cwd(), 'x.js')).href]) {
    try {
      return [createRequire(from).resolve(name)];
    } catch {
      // not here
    }
  }
  return [];
}

function unavailable(why: string, cause?: unknown): GenserveError {
  return new GenserveError('BACKEND_UNAVAILABLE', `backend: tensorflow cannot be used: ${why}`, {
    field: 'backend',
    cause,
  });
}
