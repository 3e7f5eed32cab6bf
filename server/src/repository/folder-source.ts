// A bundle's files from its folder. Neither `..` nor a symbolic link leads out of it.
import { readFile, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { type BundleSource, type Bytes, GenserveError, throwIfAborted } from '@genserve/runtime';

/** The bundle at a location that the folder's catalogue gave. */
export function sourceOf(folder: string): BundleSource {
  return {
    async read(path, options) {
      throwIfAborted(options?.signal);
      const bytes = await readInside(folder, path);
      options?.onProgress?.(bytes.length);
      return bytes;
    },
  };
}

async function readInside(folder: string, path: string): Promise<Bytes> {
  try {
    const [root, target] = await Promise.all([realpath(folder), realpath(join(folder, path))]);
    if (target.startsWith(root + sep)) return await readFile(target);
  } catch (cause) {
    throw new GenserveError('ASSET_UNREACHABLE', `${path} cannot be read (${codeOf(cause)})`, { field: path, cause });
  }
  throw new GenserveError('BUNDLE_INVALID', `${path} leads out of the bundle's folder`, { field: path });
}

/** ENOENT and its like: what went wrong, without the path that Node's message holds. */
function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}
