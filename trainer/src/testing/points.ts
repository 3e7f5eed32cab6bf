// Points of the plane on a parabola, whose density and entropy are known. For tests.
import { fillNoise } from '@genserve/runtime';
import type { Dataset, Split } from '../data/dataset.js';
import { vectorDomain } from '../data/vector-domain.js';

/** Of the second coordinate around the square of the first, which is standard normal. */
const DEVIATION = 0.5;

function points(count: number, name: string): Float32Array<ArrayBuffer> {
  const values = fillNoise({ seed: 1, name, distribution: 'normal', shape: [2], count });
  for (let i = 0; i < values.length; i += 2) values[i + 1] = values[i]! ** 2 + DEVIATION * values[i + 1]!;
  return values;
}

function split(values: Float32Array<ArrayBuffer>): Split {
  return {
    count: values.length / 2,
    async read(indices) {
      const data = new Float32Array(indices.length * 2);
      indices.forEach((index, row) => {
        data.set(values.subarray(2 * index, 2 * index + 2), 2 * row);
      });
      return { data };
    },
  };
}

export function pointsDataset(): Dataset {
  const train = points(5000, 'train');
  return {
    name: 'points',
    domain: vectorDomain(train, ['x', 'y'], []),
    train: split(train),
    calibration: split(points(500, 'calibration')),
    test: split(points(500, 'test')),
    all: split(train),
    sha256: '0'.repeat(64),
    licence: 'CC0-1.0',
    attribution: '',
    frequencies: [],
    summary: 'points on a parabola',
    split: 'train 5000, calibration 500, test 500',
  };
}

/** Nats. */
pointsDataset.entropy = 1 + Math.log(2 * Math.PI) + Math.log(DEVIATION);
