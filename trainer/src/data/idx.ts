// IDX, the format of MNIST's own files (LeCun, Cortes & Burges): two zero bytes, type, rank, big-endian sizes, data.
import { invalid } from '@genserve/runtime';

export interface IdxArray {
  readonly shape: readonly number[];
  /** Row-major, unsigned bytes. */
  readonly data: Uint8Array;
}

const unsignedByte = 0x08;

/** Throws INVALID_ARGUMENT for what is not a whole IDX array of unsigned bytes. `source` names the file in messages. */
export function parseIdx(bytes: Uint8Array, source: string): IdxArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const rank = bytes[3] ?? 0;
  const header = 4 + 4 * rank;
  if (bytes.length < 4 || view.getUint16(0) !== 0 || rank === 0 || bytes.length < header) {
    throw invalid('data', `${source} is not an IDX file: it must open with 0, 0, a type and a rank of at least 1`);
  }
  if (bytes[2] !== unsignedByte) {
    throw invalid('data', `${source} holds IDX type 0x${bytes[2]!.toString(16)}; only unsigned bytes (0x08) are read`);
  }
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const size = shape.reduce((product, length) => product * length, 1);
  if (bytes.length !== header + size) {
    throw invalid(
      'data',
      `${source} says ${shape.join('x')} = ${size} bytes but holds ${bytes.length - header}: it was cut short or is not IDX`,
    );
  }
  return { shape, data: bytes.subarray(header) };
}

/** Labels as int32 [count]. */
export function parseIdxLabels(bytes: Uint8Array, source: string, count: number): Int32Array<ArrayBuffer> {
  const { shape, data } = parseIdx(bytes, source);
  if (shape.length !== 1 || shape[0] !== count) {
    throw invalid('data', `${source} has labels of shape [${shape.join(', ')}] for ${count} images`);
  }
  return Int32Array.from(data);
}
