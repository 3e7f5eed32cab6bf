// IDX files that users bring: a folder with MNIST's file names, or one file of images.
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Dataset } from '../dataset.js';
import { look, readHead, readWhole } from '../files.js';
import { type IdxDatasetSpec, idxDataset } from '../idx-dataset.js';
import type { FormatSource } from '../source.js';

/** "train-images-idx3-ubyte", "train-images.idx3-ubyte", either with ".gz". */
const imagesName = /^(train|t10k|test)[-_.]images?[-_.]idx[34][-_.]ubyte(\.gz)?$/;

/** Reads the four files (only the train images are required) of MNIST's naming. */
export async function readIdxFolder(folder: string, spec: Omit<IdxDatasetSpec, 'files'>): Promise<Dataset> {
  const names = await readdir(folder);
  const read = async (part: RegExp, kind: 'images' | 'labels') => {
    const name = names.find(
      candidate => part.test(candidate) && new RegExp(`[-_.]${kind.slice(0, -1)}s?[-_.]idx`).test(candidate),
    );
    return name === undefined ? undefined : readWhole(join(folder, name));
  };
  const [trainImages, trainLabels, testImages, testLabels] = await Promise.all([
    read(/^train/, 'images'),
    read(/^train/, 'labels'),
    read(/^(t10k|test)/, 'images'),
    read(/^(t10k|test)/, 'labels'),
  ]);
  // `accepts` or the named source has seen the file of train images.
  return idxDataset({ ...spec, files: { trainImages: trainImages!, trainLabels, testImages, testLabels } });
}

export const idxFolder: FormatSource = {
  name: 'idx',
  description:
    'IDX images, one file or a folder with train-images-idx3-ubyte (labels and t10k files optional, .gz too)',
  async accepts(path) {
    if (look(path)?.isDirectory()) {
      return (await readdir(path)).some(name => name.startsWith('train') && imagesName.test(name));
    }
    const head = await readHead(path, 4);
    const gzipped = /[-_.]idx[34][-_.]ubyte\.gz$/.test(path);
    return (
      gzipped || (head.length === 4 && head.readUInt16BE(0) === 0 && head[2] === 8 && (head[3] === 3 || head[3] === 4))
    );
  },
  async open(path, options) {
    const unknown = { licence: 'unknown', attribution: '' };
    if (look(path)?.isDirectory()) return readIdxFolder(path, { name: basename(path), options, ...unknown });
    const labelsPath = join(
      dirname(path),
      basename(path)
        .replace('images', 'labels')
        .replace(/idx[34]/, 'idx1'),
    );
    const trainLabels = labelsPath !== path && look(labelsPath) ? await readWhole(labelsPath) : undefined;
    const files = { trainImages: await readWhole(path), trainLabels };
    return idxDataset({ name: basename(path), files, options, ...unknown });
  },
};
