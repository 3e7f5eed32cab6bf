// A folder of images: one class per subfolder, or a labels.csv of file and class, or no labels; any sizes.
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { invalid } from '@genserve/runtime';
import { assemble, count } from '../assemble.js';
import { parseCsv } from '../csv.js';
import { anyFileBelow, filesBelow, hashFiles, look } from '../files.js';
import { imageDomain } from '../image-domain.js';
import { type ImageSize, imageFileStore, imageSize } from '../image-files.js';
import type { DataOptions } from '../options.js';
import type { FormatSource } from '../source.js';

const imageName = /\.(png|jpe?g|webp|gif|tiff?|avif|bmp)$/i;
const labelsName = 'labels.csv';
/** Larger images are brought to this size unless `data.size` says otherwise. */
const greatestDefault = 64;
const partNames = {
  train: /^train(ing)?$/i,
  calibration: /^(calibration|validation|valid|val)$/i,
  test: /^test(ing)?$/i,
};
type Part = keyof typeof partNames;

interface Files {
  /** Relative to the folder. */
  readonly paths: readonly string[];
  /** Name of each file's class; '' = none. */
  readonly classOf: (path: string) => string;
}

export const imageFolder: FormatSource = {
  name: 'image-folder',
  description:
    'folder of images (png, jpeg, webp, gif, tiff, avif), a class per subfolder or labels.csv with columns file,label; ' +
    'train/, test/ and validation/ subfolders are taken as such',
  async accepts(path) {
    return look(path)?.isDirectory() === true && (await anyFileBelow(path, imageName));
  },
  async open(folder, options) {
    const paths = await filesBelow(folder, imageName);
    const parts = partsOf(paths);
    const { classOf } = await labelled(folder, paths, parts !== undefined);
    const classes = [...new Set(paths.map(classOf))].filter(name => name !== '').sort(byNumberOrName);
    const size = await chooseSize(join(folder, paths[0]!), options);
    const store = (part: readonly string[] | undefined) => {
      if (!part) return undefined;
      const labels = Int32Array.from(part, path => classes.indexOf(classOf(path)));
      return imageFileStore(folder, part, size.target, classes.length > 0 ? labels : undefined);
    };
    const without = paths.filter(path => classOf(path) === '').length;
    const { height, width, channels } = size.target;
    return assemble(
      {
        name: basename(folder),
        domain: imageDomain({ height, width, channels, labels: classes, binarisation: options.binarisation }),
        train: store(parts?.train ?? paths)!,
        calibration: store(parts?.calibration),
        test: store(parts?.test),
        sha256: await hashFiles(folder, look(join(folder, labelsName)) ? [...paths, labelsName] : paths),
        licence: 'unknown',
        attribution: '',
        summary:
          `${count(paths.length)} ${channels === 1 ? 'grey' : 'colour'} images of ${height}x${width}${size.note}` +
          (classes.length === 0
            ? ', unlabelled'
            : ` in ${classes.length} classes${without ? `, ${count(without)} without a label` : ''}`),
      },
      options,
    );
  },
};

/** The files of train/, validation/ and test/ where the folder is made of these; undefined otherwise. */
function partsOf(paths: readonly string[]): Partial<Record<Part, string[]>> | undefined {
  const parts: Partial<Record<Part, string[]>> = {};
  for (const path of paths) {
    const top = path.includes('/') ? path.slice(0, path.indexOf('/')) : '';
    const part = (Object.keys(partNames) as Part[]).find(name => partNames[name].test(top)); // keys of a literal
    if (!part) return undefined;
    parts[part] = parts[part] ?? [];
    parts[part].push(path);
  }
  if (!parts.train) return undefined;
  return parts;
}

async function labelled(folder: string, paths: readonly string[], inParts: boolean): Promise<Files> {
  const table = join(folder, labelsName);
  if (look(table)) {
    const { header, rows } = parseCsv(await readFile(table, 'utf8'), table);
    const column = (names: readonly string[]) => header.findIndex(name => names.includes(name.toLowerCase()));
    const file = column(['file', 'filename', 'path', 'image']);
    const label = column(['label', 'class', 'category']);
    if (file < 0 || label < 0) {
      throw invalid('data', `${table} has columns ${header.join(', ')}; it needs "file" and "label"`);
    }
    const byPath = new Map(rows.map(row => [row[file]!, row[label]!]));
    const known = new Set(paths);
    for (const path of byPath.keys()) {
      if (!known.has(path)) throw invalid('data', `${table} names ${path}, which is not an image in ${folder}`);
    }
    return { paths, classOf: path => byPath.get(path) ?? '' };
  }
  const depth = inParts ? 1 : 0;
  return {
    paths,
    classOf(path) {
      const steps = path.split('/');
      return steps.length > depth + 1 ? steps[depth]! : '';
    },
  };
}

async function chooseSize(first: string, options: DataOptions): Promise<{ target: ImageSize; note: string }> {
  const found = await imageSize(first);
  const channels = options.channels ?? found.channels;
  const large = found.height > greatestDefault || found.width > greatestDefault;
  const size = options.size ?? (large ? greatestDefault : ([found.height, found.width] as const));
  const [height, width] = typeof size === 'number' ? [size, size] : size;
  const target = { height, width, channels };
  const same = target.height === found.height && target.width === found.width;
  return { target, note: same ? '' : ` (resized and cropped, the first from ${found.height}x${found.width})` };
}

/** '2' before '10', and names by code point. */
function byNumberOrName(a: string, b: string): number {
  const difference = Number(a) - Number(b);
  return Number.isNaN(difference) || difference === 0 ? (a < b ? -1 : 1) : difference;
}
