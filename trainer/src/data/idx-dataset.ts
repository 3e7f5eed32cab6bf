// A data set made of IDX images and labels: MNIST, Fashion-MNIST and what users have in the same form.
import { GenserveError, invalid } from '@genserve/runtime';
import { assemble, count } from './assemble.js';
import type { Dataset } from './dataset.js';
import { sha256 } from './hash.js';
import { parseIdx, parseIdxLabels } from './idx.js';
import { imageDomain } from './image-domain.js';
import type { DataOptions } from './options.js';
import { byteStore, type Store } from './store.js';

export interface IdxFiles {
  readonly trainImages: Uint8Array;
  readonly trainLabels?: Uint8Array | undefined;
  readonly testImages?: Uint8Array | undefined;
  readonly testLabels?: Uint8Array | undefined;
}

export interface IdxDatasetSpec {
  readonly name: string;
  readonly files: IdxFiles;
  /** Names of the classes; numbers up to the greatest label when absent. */
  readonly classes?: readonly string[];
  readonly licence: string;
  readonly attribution: string;
  readonly options: DataOptions;
}

export function idxDataset({ name, files, classes, licence, attribution, options }: IdxDatasetSpec): Dataset {
  const images = parseIdx(files.trainImages, `${name} train images`);
  const [total = 0, height = 0, width = 0, channels = 1] = images.shape;
  if (images.shape.length < 3 || images.shape.length > 4 || (channels !== 1 && channels !== 3)) {
    throw invalid(
      'data',
      `${name} has IDX shape [${images.shape.join(', ')}]; images are [count, height, width] or [count, height, width, 1 or 3]`,
    );
  }
  const rowSize = height * width * channels;
  const train = store(images.data, rowSize, files.trainLabels, `${name} train labels`);
  let test: Store | undefined;
  if (files.testImages) {
    const testImages = parseIdx(files.testImages, `${name} test images`);
    if (testImages.shape.slice(1).join() !== images.shape.slice(1).join()) {
      throw invalid(
        'data',
        `${name} has test images of ${testImages.shape.slice(1).join('x')} and train images of ${images.shape.slice(1).join('x')}`,
      );
    }
    test = store(testImages.data, rowSize, files.testLabels, `${name} test labels`);
  }
  const greatest = Math.max(-1, ...distinct(train.labels), ...distinct(test?.labels));
  const labels = classes ?? Array.from({ length: greatest + 1 }, (_, label) => String(label));
  if (greatest >= labels.length) {
    throw new GenserveError('INVALID_ARGUMENT', `data: ${name} has label ${greatest} but ${labels.length} classes`, {
      field: 'data',
    });
  }
  const all = total + (test?.count ?? 0);
  const classNote = labels.length > 0 ? ` in ${labels.length} classes` : ', unlabelled';
  return assemble(
    {
      name,
      domain: imageDomain({ height, width, channels, labels, binarisation: options.binarisation }),
      train,
      test,
      sha256: sha256(...Object.values(files).filter(file => file !== undefined)),
      licence,
      attribution,
      summary: `${count(all)} ${channels === 1 ? 'grey' : 'colour'} images of ${height}x${width}${classNote}`,
    },
    options,
  );
}

function store(data: Uint8Array, rowSize: number, labels: Uint8Array | undefined, source: string): Store {
  return byteStore(data, rowSize, labels && parseIdxLabels(labels, source, data.length / rowSize));
}

function distinct(labels: Int32Array | undefined): Iterable<number> {
  return new Set(labels ?? []);
}
