// Rows that are held in memory, and views on a part of some rows.
import type { Rows, Split } from './dataset.js';

/** A split whose labels can be read without its rows. */
export interface Store extends Split {
  /** One per row, -1 = no label; absent for unlabelled data. */
  readonly labels?: Int32Array<ArrayBuffer> | undefined;
}

/** k / 255 for every byte, rounded to float32 once. */
const byteToUnit = Float32Array.from({ length: 256 }, (_, k) => k / 255);

function arrayOf(length: number, into?: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  return into?.length === length ? into : new Float32Array(length);
}

function pick(labels: Int32Array | undefined, indices: readonly number[]): Pick<Rows, 'labels'> {
  return labels ? { labels: Int32Array.from(indices, i => labels[i]!) } : {};
}

/** Bytes [count, rowSize], read as k / 255: an eighth of the memory of doubles, a quarter of floats. */
export function byteStore(
  bytes: Uint8Array,
  rowSize: number,
  labels?: Int32Array<ArrayBuffer>,
  names?: readonly string[],
): Store {
  return {
    ...(names && { nameOf: index => names[index]! }),
    count: bytes.length / rowSize,
    labels,
    async read(indices, into) {
      const data = arrayOf(indices.length * rowSize, into);
      indices.forEach((index, row) => {
        const from = index * rowSize;
        for (let i = 0; i < rowSize; i++) data[row * rowSize + i] = byteToUnit[bytes[from + i]!]!;
      });
      return { data, ...pick(labels, indices) };
    },
  };
}

/** Numbers [count, rowSize], read as they are. */
export function floatStore(values: Float32Array, rowSize: number, labels?: Int32Array<ArrayBuffer>): Store {
  return {
    count: values.length / rowSize,
    labels,
    async read(indices, into) {
      const data = arrayOf(indices.length * rowSize, into);
      indices.forEach((index, row) => {
        data.set(values.subarray(index * rowSize, (index + 1) * rowSize), row * rowSize);
      });
      return { data, ...pick(labels, indices) };
    },
  };
}

/** Rows of `data` with the row of `targets` at the same index. */
export function paired(data: Store, targets: Store): Store {
  return {
    ...data,
    async read(indices) {
      const [rows, { data: target }] = await Promise.all([data.read(indices), targets.read(indices)]);
      return { ...rows, target };
    },
  };
}

/** `store` with a vector for each row, [count, n]. */
export function withVectors(store: Store, vectors: Float32Array): Store {
  const inner = floatStore(vectors, vectors.length / store.count);
  return {
    ...store,
    async read(indices) {
      const [rows, { data }] = await Promise.all([store.read(indices), inner.read(indices)]);
      return { ...rows, vectors: data };
    },
  };
}

/** The rows of `store` at `indices`, in that order. */
export function subset(store: Store, indices: Int32Array): Store {
  const { labels } = store;
  return {
    count: indices.length,
    labels: labels && Int32Array.from(indices, i => labels[i]!),
    read: rows => store.read(rows.map(row => indices[row]!)),
    ...(store.nameOf && { nameOf: row => store.nameOf!(indices[row]!) }),
  };
}

/** The rows of several parts, one after the other. Of several, labels are kept where every part has them; vectors are not. */
export function concatenate(parts: readonly Split[]): Split {
  const [only] = parts;
  if (only && parts.length === 1) return only;
  const starts: number[] = [];
  let count = 0;
  for (const part of parts) {
    starts.push(count);
    count += part.count;
  }
  const partOf = (row: number) => starts.findLastIndex(start => start <= row);
  return {
    count,
    async read(indices) {
      // Rows are read part by part and put where they were asked for.
      const groups = parts.map(() => [] as number[]);
      indices.forEach((row, place) => {
        groups[partOf(row)]!.push(place);
      });
      let data: Float32Array<ArrayBuffer> | undefined;
      let target: Float32Array<ArrayBuffer> | undefined;
      const labels = new Int32Array(indices.length).fill(-1);
      let labelled = true;
      for (const [part, places] of groups.entries()) {
        if (places.length === 0) continue;
        const rows = await parts[part]!.read(places.map(place => indices[place]! - starts[part]!));
        const size = rows.data.length / places.length;
        data ??= new Float32Array(indices.length * size);
        const width = (rows.target?.length ?? 0) / places.length;
        if (rows.target) target ??= new Float32Array(indices.length * width);
        for (const [i, place] of places.entries()) {
          data.set(rows.data.subarray(i * size, (i + 1) * size), place * size);
          if (rows.target) target!.set(rows.target.subarray(i * width, (i + 1) * width), place * width);
          labels[place] = rows.labels?.[i] ?? -1;
        }
        labelled &&= rows.labels !== undefined;
      }
      return { data: data ?? new Float32Array(0), ...(target && { target }), ...(labelled && { labels }) };
    },
    ...(parts.every(part => part.nameOf) && {
      nameOf: row => parts[partOf(row)]!.nameOf!(row - starts[partOf(row)]!),
    }),
  };
}
