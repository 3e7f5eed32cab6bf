// Opens data by name or by path, and lists what there is.
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { GenserveError, invalid } from '@genserve/runtime';
import { nearest } from '../nearest.js';
import { parseSettings } from '../parse-settings.js';
import type { Dataset } from './dataset.js';
import { type DataOptionsInput, dataOptions } from './options.js';
import type { FormatSource, NamedSource } from './source.js';
import { cifar } from './sources/cifar.js';
import { emojis } from './sources/emoji.js';
import { fashionMnist } from './sources/fashion-mnist.js';
import { idxFolder } from './sources/idx-folder.js';
import { imageFolder } from './sources/image-folder.js';
import { mnist } from './sources/mnist.js';
import { userModule } from './sources/module.js';
import { numpy } from './sources/numpy.js';
import { textFile, texts } from './sources/text-file.js';
import { toys } from './sources/toy.js';
import { vectorsCsv } from './sources/vectors-csv.js';
import { wavFolder } from './sources/wav-folder.js';

const named: readonly NamedSource[] = [mnist, fashionMnist, ...emojis, ...toys, ...texts];
/** Asked in this order; those that know a folder by its file names come before those that take any image. */
const formats: readonly FormatSource[] = [
  idxFolder,
  cifar,
  numpy,
  vectorsCsv,
  textFile,
  userModule,
  imageFolder,
  wavFolder,
];

/**
 * `spec` is a name of `datasets()`, or a path to a file or folder whose format is found by looking at it.
 * Throws INVALID_ARGUMENT (field `data`) where nothing fits, ASSET_UNREACHABLE where a package is missing.
 */
export async function openDataset(spec: string, options: DataOptionsInput = {}): Promise<Dataset> {
  const parsed = parseSettings(dataOptions, options, 'data', 'INVALID_ARGUMENT');
  const source = named.find(({ name }) => name === spec);
  if (source) return source.open(parsed);
  if (!(await exists(spec))) {
    const names = named.map(({ name }) => name);
    const meant = nearest(spec, names);
    const hint = meant ? `; did you mean "${meant}"?` : '';
    throw invalid(
      'data',
      `"${spec}" is neither a data set (${names.join(', ')}) nor an existing file or folder${hint}`,
    );
  }
  for (const format of formats) if (await format.accepts(spec)) return format.open(spec, parsed);
  const known = formats.map(({ description }) => description).join('; ');
  throw new GenserveError('UNSUPPORTED_MEDIA_TYPE', `data: nothing in ${spec} is known; taken are: ${known}`, {
    field: 'data',
  });
}

/** A name as it is, a path as an absolute one: for records that are read in another folder. */
export function absoluteSpec(spec: string): string {
  return named.some(({ name }) => name === spec) ? spec : resolve(spec);
}

export interface DatasetListing {
  readonly name: string;
  readonly description: string;
  readonly licence?: string | undefined;
  /** Whether `--data name` works now. */
  readonly available: boolean;
  readonly install?: string | undefined;
}

/** Named sets first, then the formats that users bring. */
export async function datasets(): Promise<{
  named: DatasetListing[];
  formats: { name: string; description: string }[];
}> {
  return {
    named: await Promise.all(
      named.map(async source => ({
        name: source.name,
        description: source.description,
        licence: source.licence,
        available: await source.available(),
        install: source.install,
      })),
    ),
    formats: formats.map(({ name, description }) => ({ name, description })),
  };
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
