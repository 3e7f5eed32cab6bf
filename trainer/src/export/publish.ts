// Puts a bundle's files under models/<name>/<next version>, whole or not at all; a published version never changes.
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type File, type Manifest, parseManifest } from '@genserve/runtime';
import { storageError, syncFolder } from '../train/checkpoint.js';

/** A bundle's files by path, manifest.json not among them. */
export type BundleFiles = ReadonlyMap<string, Uint8Array>;

export interface Published {
  readonly folder: string;
  readonly name: string;
  readonly version: number;
  readonly manifest: Manifest;
}

export function listFiles(files: BundleFiles): File[] {
  return [...files].map(([path, bytes]) => {
    return { path, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  });
}

/** Writes beside the target, syncs, and renames to the next free version. `manifestOf` is called with that version. */
export async function publish(
  out: string,
  name: string,
  manifestOf: (version: number) => Manifest,
  filesOf: (manifest: Manifest) => BundleFiles,
): Promise<Published> {
  const parent = join(out, name);
  // Hidden, so that no reader takes it for a version.
  const partial = join(parent, `.partial-${randomUUID()}`);
  try {
    await mkdir(partial, { recursive: true });
    for (;;) {
      const version = (await newestVersion(parent)) + 1;
      const draft = manifestOf(version);
      const files = filesOf(draft);
      const manifest: Manifest = { ...draft, files: listFiles(files) };
      parseManifest(JSON.parse(JSON.stringify(manifest)));
      for (const [path, bytes] of files) await writeSynced(join(partial, path), bytes);
      await writeSynced(join(partial, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
      const folder = join(parent, String(version));
      try {
        await rename(partial, folder);
      } catch (error) {
        if (isTaken(error)) continue;
        throw error;
      }
      await syncFolder(parent);
      return { folder, name, version, manifest };
    }
  } catch (cause) {
    throw storageError(parent, cause);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

async function newestVersion(parent: string): Promise<number> {
  const versions = (await readdir(parent)).filter(entry => /^[1-9]\d*$/.test(entry)).map(Number);
  return Math.max(0, ...versions);
}

async function writeSynced(path: string, content: Uint8Array | string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, 'w');
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await syncFolder(dirname(path));
}

/** Another export took the version between looking and renaming. */
function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOTEMPTY' || error.code === 'EEXIST');
}
