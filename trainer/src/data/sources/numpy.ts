// NumPy arrays: one .npy of rows, or a .npz with rows, labels and perhaps a test part.
import { basename } from 'node:path';
import { type Domain, invalid, type NpyArray, readNpy } from '@genserve/runtime';
import { unzipSync } from 'fflate';
import { assemble, count } from '../assemble.js';
import type { Dataset } from '../dataset.js';
import { type FileRows, fileRows } from '../file-rows.js';
import { look, readWhole } from '../files.js';
import { sha256 } from '../hash.js';
import { imageDomain } from '../image-domain.js';
import type { DataOptions } from '../options.js';
import type { FormatSource } from '../source.js';
import { byteStore, floatStore, paired, type Store, withVectors } from '../store.js';
import { vectorDomain } from '../vector-domain.js';

/** Names under which arrays are found in a .npz, the likeliest first. */
const keys = {
  rows: ['x_train', 'train_images', 'train', 'data', 'images', 'samples', 'x', 'arr_0'],
  labels: ['y_train', 'train_labels', 'labels', 'label', 'y', 'arr_1'],
  testRows: ['x_test', 'test_images', 'test'],
  testLabels: ['y_test', 'test_labels'],
  targets: ['targets'],
  vectors: ['vectors_train', 'vectors'],
  testVectors: ['vectors_test'],
};

export const numpy: FormatSource = {
  name: 'numpy',
  description:
    '.npy or .npz of rows [count, features] or images [count, height, width(, 1 or 3)], uint8 or floats in [0, 1]; ' +
    'arrays of a .npz: data or x_train, labels or y_train, x_test, y_test; targets, one for each row of data, make pairs; ' +
    'vectors and vectors_test [count, n] are conditioned on',
  accepts: async path => look(path)?.isFile() === true && /\.np[yz]$/i.test(path),
  async open(path, options) {
    const large = /\.npy$/i.test(path) && look(path)!.size > LARGEST_IN_MEMORY ? await fileRows(path) : undefined;
    if (large) return onDisk(path, large, options);
    const bytes = await readWhole(path);
    if (/\.npy$/i.test(path)) return dataset(path, bytes, { rows: readNpy(bytes, path) }, options);
    let files: Record<string, Uint8Array>;
    try {
      files = unzipSync(bytes);
    } catch (cause) {
      throw invalid('data', `${path} is not a whole .npz file: ${cause instanceof Error ? cause.message : cause}`);
    }
    const find = (names: readonly string[]) => {
      const name = names.find(candidate => files[`${candidate}.npy`]);
      return name === undefined ? undefined : readNpy(files[`${name}.npy`]!, `${path}: ${name}`);
    };
    const rows = find(keys.rows);
    if (!rows) {
      const found = Object.keys(files).map(name => name.replace(/\.npy$/, ''));
      throw invalid('data', `${path} holds ${found.join(', ')}; rows are looked for as ${keys.rows.join(', ')}`);
    }
    const arrays = {
      rows,
      labels: find(keys.labels),
      testRows: find(keys.testRows),
      testLabels: find(keys.testLabels),
      targets: find(keys.targets),
      vectors: find(keys.vectors),
      testVectors: find(keys.testVectors),
    };
    return dataset(path, bytes, arrays, options);
  },
};

/** Bytes of a .npy of pictures beyond which it is read row by row from the disk. */
const LARGEST_IN_MEMORY = 256 * 2 ** 20;

/** Pictures of bytes that stay on the disk. */
function onDisk(path: string, { shape, store, sha256 }: FileRows, options: DataOptions): Dataset {
  const head = { shape, data: new Uint8Array(0) };
  return assemble(
    {
      name: basename(path).replace(/\.\w+$/, ''),
      domain: domainOf(head, [], options, path),
      train: store,
      sha256,
      licence: 'unknown',
      attribution: '',
      summary: `${count(store.count)} images of ${shape.slice(1).join('x')}, unlabelled`,
    },
    options,
  );
}

interface Arrays {
  readonly rows: NpyArray;
  readonly labels?: NpyArray | undefined;
  readonly testRows?: NpyArray | undefined;
  readonly testLabels?: NpyArray | undefined;
  readonly targets?: NpyArray | undefined;
  readonly vectors?: NpyArray | undefined;
  readonly testVectors?: NpyArray | undefined;
}

function dataset(path: string, bytes: Uint8Array, arrays: Arrays, options: DataOptions): Dataset {
  const { rows, testRows, targets } = arrays;
  if (testRows && testRows.shape.slice(1).join() !== rows.shape.slice(1).join()) {
    throw invalid('data', `${path}: test rows have shape [${testRows.shape}], train rows [${rows.shape}]`);
  }
  if (targets && (testRows || targets.shape[0] !== rows.shape[0])) {
    const wanted = testRows ? 'pairs have no x_test: their test part is cut from them' : `rows are ${rows.shape[0]}`;
    throw invalid('data', `${path}: ${targets.shape[0]} targets; ${wanted}`);
  }
  const labels = labelsOf(arrays.labels, rows, path);
  const testLabels = testRows && labelsOf(arrays.testLabels, testRows, path);
  const greatest = [...(labels ?? []), ...(testLabels ?? [])].reduce((most, label) => Math.max(most, label), -1);
  const classes = Array.from({ length: greatest + 1 }, (_, label) => String(label));
  const domain = domainOf(rows, classes, options, path);
  const target = targets && domainOf(targets, [], { ...options, binarisation: 'none' }, path);
  const data = conditioned(store(rows, domain, labels, path), arrays.vectors, path);
  const total = (rows.shape[0] ?? 0) + (testRows?.shape[0] ?? 0);
  const shape = rows.shape.slice(1).join('x');
  return assemble(
    {
      name: basename(path).replace(/\.\w+$/, ''),
      domain,
      target,
      train: targets && target ? paired(data, store(targets, target, undefined, path)) : data,
      test: testRows && conditioned(store(testRows, domain, testLabels, path), arrays.testVectors, path),
      sha256: sha256(bytes),
      licence: 'unknown',
      attribution: '',
      summary:
        `${count(total)} ${targets ? 'pairs of ' : ''}${domain.image ? 'images' : 'vectors'} of ${shape}` +
        (classes.length > 0 ? ` in ${classes.length} classes` : ', unlabelled'),
    },
    options,
  );
}

function domainOf(rows: NpyArray, classes: readonly string[], options: DataOptions, path: string): Domain {
  const [, ...shape] = rows.shape;
  if (shape.length === 1) {
    const values = Float32Array.from(rows.data);
    return vectorDomain(
      values,
      Array.from({ length: shape[0]! }, (_, column) => `x${column + 1}`),
      classes,
    );
  }
  const [height = 0, width = 0, channels = 1] = shape;
  if (shape.length < 2 || shape.length > 3 || (channels !== 1 && channels !== 3)) {
    throw invalid(
      'data',
      `${path} has shape [${rows.shape}]; rows are [count, features], images [count, height, width] or ` +
        '[count, height, width, channels] with 1 or 3 channels, channels last',
    );
  }
  const { binarisation } = options;
  const levels = rows.data instanceof Uint8Array ? 256 : 0;
  return imageDomain({ height, width, channels, labels: classes, binarisation, levels });
}

function store(rows: NpyArray, domain: Domain, labels: Int32Array<ArrayBuffer> | undefined, path: string): Store {
  const { data } = rows;
  const rowSize = rows.shape.slice(1).reduce((product, length) => product * length, 1);
  if (domain.image && data instanceof Uint8Array) return byteStore(data, rowSize, labels);
  const values = Float32Array.from(data);
  for (const value of values) {
    if (!Number.isFinite(value)) throw invalid('data', `${path} holds a number that is not finite`);
    if (domain.image && (value < 0 || value > 1)) {
      throw invalid('data', `${path} holds ${value}; images of floats lie in [0, 1] (or store bytes as uint8)`);
    }
  }
  return floatStore(values, rowSize, labels);
}

function conditioned(rows: Store, vectors: NpyArray | undefined, path: string): Store {
  if (!vectors) return rows;
  if (vectors.shape.length !== 2 || vectors.shape[0] !== rows.count)
    throw invalid('data', `${path}: vectors have shape [${vectors.shape}]; [${rows.count}, n] is needed`);
  const values = Float32Array.from(vectors.data);
  if (values.some(value => !Number.isFinite(value)))
    throw invalid('data', `${path}: the vectors hold a number that is not finite`);
  return withVectors(rows, values);
}

function labelsOf(labels: NpyArray | undefined, rows: NpyArray, path: string): Int32Array<ArrayBuffer> | undefined {
  if (!labels) return undefined;
  if (labels.shape.length !== 1 || labels.shape[0] !== rows.shape[0]) {
    throw invalid('data', `${path}: labels have shape [${labels.shape}] for ${rows.shape[0]} rows`);
  }
  for (const label of labels.data) {
    if (!Number.isInteger(label) || label < -1 || label > 100_000) {
      throw invalid('data', `${path}: ${label} is no label; labels are integers from 0, and -1 for none`);
    }
  }
  return Int32Array.from(labels.data);
}
