// Text files of the user's, and the texts that Debian packages.
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { GenserveError } from '@genserve/runtime';
import { assemble } from '../assemble.js';
import { filesBelow, look } from '../files.js';
import { sha256 } from '../hash.js';
import type { DataOptions } from '../options.js';
import type { FormatSource, NamedSource } from '../source.js';
import { textRows } from '../text.js';

interface TextSpec {
  readonly name: string;
  readonly texts: readonly Buffer[];
  readonly licence: string;
  readonly options: DataOptions;
}

function textDataset({ name, texts, licence, options }: TextSpec) {
  const { store, domain, summary } = textRows(
    texts.map(text => text.toString('utf8')).join('\n'),
    options.length,
    name,
  );
  const source = { name, domain, train: store, sha256: sha256(...texts), licence, attribution: '', summary };
  return assemble(source, options);
}

export const textFile: FormatSource = {
  name: 'text',
  description: '.txt file: entries between lines with "%", short lines, or windows of --set data.length=<characters>',
  accepts: async path => look(path)?.isFile() === true && /\.txt$/i.test(path),
  async open(path, options) {
    return textDataset({ name: basename(path), texts: [await readFile(path)], licence: 'unknown', options });
  },
};

function packaged(name: string, description: string, path: string, install: string, licence: string): NamedSource {
  return {
    name,
    description,
    licence,
    install,
    available: async () => look(path) !== undefined,
    async open(options) {
      const found = look(path);
      if (!found) {
        throw new GenserveError('ASSET_UNREACHABLE', `data: ${name} is not on this machine: ${install}`, {
          field: 'data',
        });
      }
      const files = found.isDirectory() ? (await filesBelow(path, /^[^.]+$/)).map(file => join(path, file)) : [path];
      const texts = await Promise.all(files.map(file => readFile(file)));
      return textDataset({ name, texts, licence, options });
    },
  };
}

export const texts: readonly NamedSource[] = [
  packaged(
    'words',
    'English words, one a row',
    '/usr/share/dict/american-english',
    'apt install wamerican',
    'LicenseRef-SCOWL',
  ),
  packaged('fortunes', 'short English texts', '/usr/share/games/fortunes', 'apt install fortunes', 'BSD-3-Clause'),
];
