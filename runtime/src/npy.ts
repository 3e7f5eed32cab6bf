// NumPy's .npy files (format 1.0 to 3.0, little-endian, C order): tables of bundles, and arrays of users.
import { invalid } from './errors.js';
import { utf8 } from './text.js';

export type NpyData =
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>;

export interface NpyArray {
  readonly shape: readonly number[];
  /** float32, float64, int32 and uint8 as they are; int64 as float64, each below 2^53 in magnitude. */
  readonly data: NpyData;
}

const MAGIC = '\x93NUMPY';

/** Reads one array. Throws INVALID_ARGUMENT, naming `field`, where the bytes are not such a file. */
export function readNpy(bytes: Uint8Array, field = 'npy'): NpyArray {
  const refuse = (message: string) => invalid(field, message);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || [...MAGIC].some((character, i) => bytes[i] !== character.charCodeAt(0)))
    throw refuse('is not a .npy file (it must begin with \\x93NUMPY)');
  const long = bytes[6]! > 1;
  const start = long ? 12 : 10;
  const end = start + (long ? view.getUint32(8, true) : view.getUint16(8, true));
  // A header that is cut off, or is no text, has none of what is looked for in it.
  const header = String.fromCharCode(...bytes.subarray(start, Math.min(end, start + 1000)));
  const kind = /'descr': *'([^']*)'/.exec(header)?.[1];
  const dimensions = /'shape': *\(([\d, ]*)\)/.exec(header)?.[1];
  if (kind === undefined || dimensions === undefined)
    throw refuse(`has a header that cannot be read: ${header.trim()}`);
  if (!/'fortran_order': *False/.test(header)) throw refuse('must be in C order (numpy.ascontiguousarray)');
  const shape = (dimensions.match(/\d+/g) ?? []).map(Number);
  const size = shape.reduce((product, length) => product * length, 1);
  const width = { '<f4': 4, '<f8': 8, '<i4': 4, '<i8': 8, '|u1': 1 }[kind];
  if (width === undefined) throw refuse(`must hold float32, float64, int32, int64 or uint8, not ${kind}`);
  if (bytes.length - end !== size * width)
    throw refuse(`must hold ${size * width} bytes for shape [${shape}], has ${bytes.length - end}`);
  // A copy, as typed arrays need an aligned start; not by slice(), which gives a view where `bytes` are a Node Buffer.
  const raw = new Uint8Array(bytes.subarray(end)).buffer;
  if (kind === '<f4') return { shape, data: new Float32Array(raw) };
  if (kind === '<f8') return { shape, data: new Float64Array(raw) };
  if (kind === '<i4') return { shape, data: new Int32Array(raw) };
  if (kind === '|u1') return { shape, data: new Uint8Array(raw) };
  const data = Float64Array.from(new BigInt64Array(raw), Number);
  if (!data.every(Number.isSafeInteger)) throw refuse('holds 64-bit integers of 2^53 or more');
  return { shape, data };
}

/** Format 1.0, the header padded so that the data begin at a multiple of 64. */
export function writeNpy(shape: readonly number[], data: NpyData): Uint8Array<ArrayBuffer> {
  const kind =
    data instanceof Float32Array
      ? '<f4'
      : data instanceof Float64Array
        ? '<f8'
        : data instanceof Int32Array
          ? '<i4'
          : '|u1';
  const dimensions = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const header = `{'descr': '${kind}', 'fortran_order': False, 'shape': (${dimensions}), }`;
  const length = Math.ceil((10 + header.length + 1) / 64) * 64;
  const result = new Uint8Array(length + data.byteLength);
  result.set([...MAGIC, '\x01', '\0'].map(character => character.charCodeAt(0)));
  new DataView(result.buffer).setUint16(8, length - 10, true);
  result.set(utf8(`${header.padEnd(length - 11)}\n`), 10);
  result.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), length);
  return result;
}
