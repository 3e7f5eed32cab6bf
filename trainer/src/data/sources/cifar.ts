// The binary files of CIFAR-10 and CIFAR-100 (Krizhevsky 2009): records of labels, then red, green and blue planes.
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { invalid } from '@genserve/runtime';
import { assemble, count } from '../assemble.js';
import { look, readWhole } from '../files.js';
import { sha256 } from '../hash.js';
import { imageDomain } from '../image-domain.js';
import type { FormatSource } from '../source.js';
import { byteStore, type Store } from '../store.js';

const side = 32;
const plane = side * side;
const pixels = 3 * plane;

interface Layout {
  /** Label bytes before the pixels; the last of them is the class (CIFAR-100 writes coarse, then fine). */
  readonly labelBytes: number;
  readonly classes: number;
  readonly train: RegExp;
  readonly test: RegExp;
  readonly names: readonly string[];
}

const layouts: readonly Layout[] = [
  {
    labelBytes: 1,
    classes: 10,
    train: /^data_batch_\d+\.bin(\.gz)?$/,
    test: /^test_batch\.bin(\.gz)?$/,
    names: ['batches.meta.txt'],
  },
  {
    labelBytes: 2,
    classes: 100,
    train: /^train\.bin(\.gz)?$/,
    test: /^test\.bin(\.gz)?$/,
    names: ['fine_label_names.txt'],
  },
];

async function layoutOf(folder: string): Promise<Layout | undefined> {
  if (!look(folder)?.isDirectory()) return undefined;
  const files = await readdir(folder);
  return layouts.find(({ train }) => files.some(name => train.test(name)));
}

export const cifar: FormatSource = {
  name: 'cifar',
  description: 'folder with the binary files of CIFAR-10 (data_batch_*.bin) or CIFAR-100 (train.bin)',
  accepts: async path => (await layoutOf(path)) !== undefined,
  async open(folder, options) {
    const layout = (await layoutOf(folder))!; // `accepts` has seen it
    const files = (await readdir(folder)).sort();
    const load = (pattern: RegExp) =>
      Promise.all(files.filter(name => pattern.test(name)).map(name => readWhole(join(folder, name))));
    const [train, test] = await Promise.all([load(layout.train), load(layout.test)]);
    const names = files.find(name => layout.names.includes(name));
    const labels = names
      ? (await readWhole(join(folder, names))).toString('utf8').split(/\r?\n/).filter(Boolean)
      : Array.from({ length: layout.classes }, (_, label) => String(label));
    const trainStore = records(train, layout, folder);
    const testStore = test.length > 0 ? records(test, layout, folder) : undefined;
    return assemble(
      {
        name: basename(folder),
        domain: imageDomain({ height: side, width: side, channels: 3, labels, binarisation: options.binarisation }),
        train: trainStore,
        test: testStore,
        sha256: sha256(...train, ...test),
        licence: 'unknown',
        attribution: 'CIFAR by Alex Krizhevsky, Vinod Nair and Geoffrey Hinton',
        summary: `${count(trainStore.count + (testStore?.count ?? 0))} colour images of 32x32 in ${labels.length} classes`,
      },
      options,
    );
  },
};

/** All records of some files, pixels interleaved to [32, 32, 3]. */
function records(files: readonly Uint8Array[], { labelBytes, classes }: Layout, folder: string): Store {
  const size = labelBytes + pixels;
  const total = files.reduce((sum, file) => sum + file.length, 0);
  if (files.some(file => file.length % size !== 0)) {
    throw invalid('data', `${folder}: a file is not a whole number of records of ${size} bytes; it was cut short`);
  }
  const bytes = new Uint8Array((total / size) * pixels);
  const labels = new Int32Array(total / size);
  let row = 0;
  for (const file of files) {
    for (let start = 0; start < file.length; start += size, row++) {
      const label = file[start + labelBytes - 1]!;
      if (label >= classes) throw invalid('data', `${folder}: record ${row} has label ${label} of ${classes} classes`);
      labels[row] = label;
      const from = start + labelBytes;
      for (let i = 0; i < plane; i++) {
        for (let channel = 0; channel < 3; channel++) {
          bytes[row * pixels + 3 * i + channel] = file[from + channel * plane + i]!;
        }
      }
    }
  }
  return byteStore(bytes, pixels, labels);
}
