// A folder of bundles: models/<name>/<version>/manifest.json.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Catalogue } from './catalogue.js';

const namePattern = /^[a-z0-9-]{1,63}$/;
const versionPattern = /^[1-9]\d{0,8}$/;

export function folderCatalogue(folder: string): Catalogue {
  const locate = (name: string, version: number) => join(folder, name, String(version));
  return {
    locate,
    async list() {
      const versions = new Map<string, number[]>();
      for (const name of await subfolders(folder, namePattern)) {
        const found = (await subfolders(join(folder, name), versionPattern)).map(Number).sort((a, b) => b - a);
        if (found.length > 0) versions.set(name, found);
      }
      return versions;
    },
    async fingerprint(name, version) {
      try {
        // A version is written whole and renamed: its manifest speaks for its other files.
        const { mtimeMs, size, ino } = await stat(join(locate(name, version), 'manifest.json'));
        return `${ino}-${size}-${mtimeMs}`;
      } catch {
        return '';
      }
    },
  };
}

async function subfolders(folder: string, pattern: RegExp): Promise<string[]> {
  const items = await readdir(folder, { withFileTypes: true });
  return items
    .filter(item => (item.isDirectory() || item.isSymbolicLink()) && pattern.test(item.name))
    .map(item => item.name)
    .sort();
}
