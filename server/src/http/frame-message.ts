// Binary bodies: the JSON of a message whose tensors and pictures travel as raw bytes behind it (contract, section 7).
import type { generator } from '@genserve/proto/wire';
import { decodeBody, isTensor, type Message } from '@genserve/runtime';

/** A value of the message that its JSON leaves out, and its place. */
export interface Piece {
  readonly path: readonly (string | number)[];
  readonly value: unknown;
}

/** A body as the message's JSON with nothing in place of its raw bytes, and the bytes with their places. */
export function splitFrame(body: Buffer, headLength: number): { json: unknown; pieces: Piece[] } {
  const pieces: Piece[] = [];
  const strip = (value: unknown, path: (string | number)[]): unknown => {
    if (isTensor(value)) {
      const { dtype, shape, data } = value;
      const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
      const isPicture = typeof path.at(-1) === 'number';
      pieces.push({ path: isPicture ? path : [...path, 'data'], value: bytes });
      return isPicture ? '' : { dtype, shape, data: '' };
    }
    if (Array.isArray(value)) return value.map((item, i) => strip(item, [...path, i]));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, strip(item, [...path, key])]));
  };
  return { json: strip(decodeBody(body, headLength), []), pieces };
}

/** Puts the pieces where they belong in the message that was read from the JSON. */
export function placePieces(message: unknown, pieces: readonly Piece[]): void {
  for (const { path, value } of pieces) {
    let holder = message;
    for (const part of path.slice(0, -1)) holder = isObject(holder) ? holder[part] : undefined;
    const last = path.at(-1);
    if (isObject(holder) && last !== undefined) holder[last] = value;
  }
}

/** A response message for `encodeBody`: its tensors as tensors, its pictures as uint8 tensors of their bytes. */
export function toFrameMessage(value: unknown): Message {
  if (isWireTensor(value)) return typedTensor(value);
  if (Buffer.isBuffer(value)) return bytesTensor(value, [value.length]);
  if (Array.isArray(value)) return value.map(toFrameMessage);
  if (isObject(value)) {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    return Object.fromEntries(entries.map(([key, item]) => [key, toFrameMessage(item)]));
  }
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null;
}

/** Its bytes as they are where they are aligned, which those of executors are. */
function typedTensor({ dtype, shape, data }: generator.Tensor): Message {
  if (dtype !== 'float32' && dtype !== 'int32') return bytesTensor(data, shape);
  const { buffer, byteOffset } = data.byteOffset % 4 === 0 ? ownBytes(data) : Uint8Array.from(data);
  const length = data.length / 4;
  return dtype === 'float32'
    ? { dtype, shape, data: new Float32Array(buffer, byteOffset, length) }
    : { dtype, shape, data: new Int32Array(buffer, byteOffset, length) };
}

function bytesTensor(bytes: Buffer, shape: readonly number[]): Message {
  return { dtype: 'uint8', shape, data: ownBytes(bytes) };
}

/** Buffers of this process are never shared with another thread. */
function ownBytes(bytes: Buffer): Uint8Array<ArrayBuffer> {
  return bytes as Buffer<ArrayBuffer>;
}

function isWireTensor(value: unknown): value is generator.Tensor {
  return isObject(value) && 'dtype' in value && Buffer.isBuffer(value.data);
}

function isObject(value: unknown): value is Record<string | number, unknown> {
  return typeof value === 'object' && value !== null;
}
