// Loads a module that a user wrote, JavaScript or TypeScript: `--family ./mine.ts`, `--data ./loader.ts`.
import { register } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { GenserveError } from '@genserve/runtime';

let hooked = false;

/** Its exports. Throws INVALID_ARGUMENT for `field` where it cannot be loaded. */
export async function importModule(path: string, field: string): Promise<Record<string, unknown>> {
  const readsTypeScript = 'typescript' in process.features && process.features.typescript;
  if (/\.m?ts$/.test(path) && !readsTypeScript && !hooked) {
    hooked = true;
    register('./typescript-hook.js', import.meta.url);
  }
  try {
    return await import(pathToFileURL(resolve(path)).href);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new GenserveError('INVALID_ARGUMENT', `${field}: ${path} cannot be loaded: ${why}`, { field, cause });
  }
}
