// A small labelled data set of grey images: class k has a bright band in its k-th third. For tests.
import { fillNoise } from '@genserve/runtime';
import type { Dataset, Split } from '../data/dataset.js';

export const bandSide = 9;
export const bandLabels = ['top', 'middle', 'bottom'];

/** Row i is of class i mod 3; every fifth row has no label where `partly`. */
function bands(count: number, name: string, partly: boolean): Split {
  const size = bandSide ** 2;
  const noise = fillNoise({ seed: 1, name, distribution: 'uniform', shape: [size], count });
  return {
    count,
    async read(indices) {
      const data = new Float32Array(indices.length * size);
      indices.forEach((index, row) => {
        for (let pixel = 0; pixel < size; pixel++) {
          const third = Math.floor((3 * Math.floor(pixel / bandSide)) / bandSide);
          const bright = third === index % 3 ? 0.6 : 0;
          data[row * size + pixel] = Math.round(255 * (bright + 0.4 * noise[index * size + pixel]!)) / 255;
        }
      });
      const labels = Int32Array.from(indices, index => (partly && index % 5 === 0 ? -1 : index % 3));
      return { data, labels };
    },
  };
}

export function bandDataset({ partly = false } = {}): Dataset {
  const train = bands(90, 'train', partly);
  return {
    name: 'bands',
    domain: {
      image: {
        height: bandSide,
        width: bandSide,
        channels: 1,
        levels: 256,
        binarisation: 'none',
        polarity: 'light-on-dark',
        labels: bandLabels,
      },
    },
    train,
    calibration: bands(30, 'calibration', false),
    test: bands(30, 'test', partly),
    all: train,
    sha256: '0'.repeat(64),
    licence: 'CC0-1.0',
    attribution: '',
    frequencies: [1 / 3, 1 / 3, 1 / 3],
    summary: 'bands',
    split: 'train 90, calibration 30, test 30',
  };
}
