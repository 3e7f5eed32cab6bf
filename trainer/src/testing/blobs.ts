// A small data set of grey images that no network can learn much about. For tests.
import { fillNoise } from '@genserve/runtime';
import type { Dataset, Split } from '../data/dataset.js';

/** Height and width. */
export const blobSize = 6;

/** Drawn once, by name. */
function blobs(side: number, count: number, name: string): Split {
  const size = side ** 2;
  const values = fillNoise({ seed: 1, name, distribution: 'uniform', shape: [size], count });
  return {
    count,
    async read(indices) {
      const data = new Float32Array(indices.length * size);
      indices.forEach((index, row) => {
        data.set(values.subarray(index * size, (index + 1) * size), row * size);
      });
      return { data };
    },
  };
}

export function blobDataset(side = blobSize): Dataset {
  return {
    name: 'blobs',
    domain: {
      image: {
        height: side,
        width: side,
        channels: 1,
        levels: 256,
        binarisation: 'none',
        polarity: 'light-on-dark',
        labels: [],
      },
    },
    train: blobs(side, 20, 'train'),
    calibration: blobs(side, 8, 'calibration'),
    test: blobs(side, 8, 'test'),
    all: blobs(side, 20, 'train'),
    sha256: '0'.repeat(64),
    licence: 'CC0-1.0',
    attribution: '',
    frequencies: [],
    summary: 'noise',
    split: 'train 20, calibration 8, test 8',
  };
}
