// The bytes that carry tensors anywhere: HTTP bodies of /v1 and /v2, streams, sockets (contract, sections 7 and 10).
//
// A frame is a JSON head and, after it, raw little-endian tensors. A tensor stands in the head as
// {"dtype", "shape", "binary_data_size"} and its bytes follow the head in the order in which they are named there.
// As an HTTP body the head's length travels in the header Inference-Header-Content-Length; on a stream or socket
// each frame begins with two unsigned 32-bit little-endian numbers: length of the head, length of the tensors.
import { GenserveError, invalid } from './errors.js';
import type { Tensor } from './tensor.js';
import { fromUtf8, utf8 } from './text.js';

/** A tensor on the wire: uint8 carries pictures as level / 255. */
export type WireTensor =
  | Tensor
  | { readonly dtype: 'uint8'; readonly shape: readonly number[]; readonly data: Uint8Array<ArrayBuffer> };

/** JSON whose leaves may be tensors. */
export type Message =
  | null
  | boolean
  | number
  | string
  | WireTensor
  | readonly Message[]
  | { readonly [key: string]: Message | undefined };

export interface Body {
  /** Bytes of the JSON head, padding included: the value of Inference-Header-Content-Length. */
  readonly headLength: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Header of an HTTP request or response with such a body. */
export const HEAD_LENGTH_HEADER = 'Inference-Header-Content-Length';

const SIZES = { float32: 4, int32: 4, uint8: 1 } as const;
const PREFIX = 8;

/** Whether a value found in a message is a tensor. */
export function isTensor(value: unknown): value is WireTensor {
  return typeof value === 'object' && value !== null && 'data' in value && ArrayBuffer.isView(value.data);
}

/** One body of a `Message`, or of any object of that form. The head is padded with spaces to a multiple of 8, so that tensors stay aligned. */
export function encodeBody(message: unknown): Body {
  const [head, ...sections] = encodeBodyParts(message);
  return { headLength: head.length, bytes: join([head, ...sections]) };
}

/** The same bytes as the head and each tensor, uncopied: they must not change before they are written. */
export function encodeBodyParts(message: unknown): [head: Uint8Array, ...tensors: Uint8Array[]] {
  const { head, sections } = split(message, 0);
  return [head, ...sections];
}

/** One frame of a stream or socket: `encodeBody` behind its two lengths. */
export function encodeFrame(message: unknown): Uint8Array<ArrayBuffer> {
  return join(encodeFrameParts(message));
}

/** The same bytes in parts, tensors uncopied, for a socket that writes several at once: they must not change before it has. */
export function encodeFrameParts(message: unknown): Uint8Array[] {
  const { head, sections } = split(message, PREFIX);
  const view = new DataView(head.buffer);
  view.setUint32(0, head.length - PREFIX, true);
  view.setUint32(4, sizeOfAll(sections), true);
  return [head, ...sections];
}

/** The JSON head, padded, behind so many bytes for a prefix; and the bytes of the tensors that it names, in order. */
function split(message: unknown, prefix: number): { head: Uint8Array<ArrayBuffer>; sections: Uint8Array[] } {
  const sections: Uint8Array[] = [];
  const json = JSON.stringify(message, (_key, value: unknown) => {
    if (!isTensor(value)) return value;
    const { dtype, shape, data } = value;
    sections.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    return { dtype, shape, binary_data_size: data.byteLength };
  });
  const text = utf8(json);
  const head = new Uint8Array(prefix + Math.ceil(text.length / 8) * 8);
  head.set(text, prefix);
  head.fill(0x20, prefix + text.length);
  return { head, sections };
}

/**
 * Splits a body into its JSON head and the bytes behind it, for callers whose head follows another schema (Open
 * Inference Protocol v2). Throws INVALID_ARGUMENT.
 */
export function splitBody(bytes: Uint8Array, headLength: number): { head: unknown; payload: Uint8Array } {
  if (!Number.isSafeInteger(headLength) || headLength < 0 || headLength > bytes.length)
    throw invalid(HEAD_LENGTH_HEADER, `must be from 0 to the ${bytes.length} bytes of the body, was ${headLength}`);
  try {
    return { head: JSON.parse(fromUtf8(bytes.subarray(0, headLength))), payload: bytes.subarray(headLength) };
  } catch (cause) {
    const message = `body: the first ${headLength} bytes are not JSON`;
    throw new GenserveError('INVALID_ARGUMENT', message, { field: 'body', cause });
  }
}

/**
 * The message of a body, tensors back in place: views of `bytes` where they are aligned, copies otherwise. Throws
 * INVALID_ARGUMENT where sizes and shapes do not add up to exactly the bytes that follow the head.
 */
export function decodeBody(bytes: Uint8Array, headLength: number): unknown {
  const { head, payload } = splitBody(bytes, headLength);
  let offset = 0;
  const restore = (value: unknown, path: string): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map((item, i) => restore(item, `${path}[${i}]`));
    if (Object.hasOwn(value, 'binary_data_size')) {
      const tensor = readTensor(value, payload, offset, path);
      offset += tensor.data.byteLength;
      return tensor;
    }
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, restore(item, path ? `${path}.${key}` : key)]),
    );
  };
  const message = restore(head, '');
  if (offset !== payload.length)
    throw invalid('body', `${payload.length} bytes follow the head where its tensors take ${offset}`);
  return message;
}

function readTensor(value: object, payload: Uint8Array, offset: number, path: string): WireTensor {
  const { dtype, shape, binary_data_size: size } = value as Record<string, unknown>; // checked field by field below
  if (dtype !== 'float32' && dtype !== 'int32' && dtype !== 'uint8')
    throw invalid(`${path}.dtype`, `must be float32, int32 or uint8, was ${JSON.stringify(dtype)}`);
  if (!isShape(shape)) throw invalid(`${path}.shape`, 'must be a list of integers of 0 or more');
  const length = shape.reduce((product, dimension) => product * dimension, 1);
  if (size !== length * SIZES[dtype])
    throw invalid(`${path}.binary_data_size`, `must be ${length * SIZES[dtype]} for ${dtype} [${shape}], was ${size}`);
  if (offset + size > payload.length)
    throw invalid(path, `needs ${size} bytes where ${payload.length - offset} are left in the body`);
  const start = payload.byteOffset + offset;
  const aligned = start % SIZES[dtype] === 0 && payload.buffer instanceof ArrayBuffer;
  const buffer = aligned ? payload.buffer : payload.slice(offset, offset + size).buffer;
  const raw = [buffer as ArrayBuffer, aligned ? start : 0, length] as const; // a SharedArrayBuffer was copied
  if (dtype === 'float32') return { dtype, shape, data: new Float32Array(...raw) };
  if (dtype === 'int32') return { dtype, shape, data: new Int32Array(...raw) };
  return { dtype, shape, data: new Uint8Array(...raw) };
}

function isShape(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(length => Number.isSafeInteger(length) && length >= 0);
}

/** Cuts a stream of bytes into frames. Throws PAYLOAD_TOO_LARGE before it holds more than `greatestBytes` of one. */
export class FrameReader {
  /** What is being filled: a prefix or, after it, the frame's body, whose tensors may be kept or transferred. */
  #target = new Uint8Array(PREFIX);
  #filled = 0;
  /** Of the body that is being filled; undefined while it is a prefix. */
  #headLength: number | undefined;

  constructor(readonly greatestBytes = 2 ** 31) {}

  /** Messages that are complete after these bytes, in order. */
  push(chunk: Uint8Array): unknown[] {
    const messages: unknown[] = [];
    for (let start = 0; start < chunk.length; ) {
      const taken = chunk.subarray(start, start + this.#target.length - this.#filled);
      this.#target.set(taken, this.#filled);
      this.#filled += taken.length;
      start += taken.length;
      if (this.#filled === this.#target.length) this.#complete(messages);
    }
    return messages;
  }

  #complete(messages: unknown[]): void {
    const bytes = this.#target;
    this.#filled = 0;
    if (this.#headLength === undefined) {
      const view = new DataView(bytes.buffer);
      this.#headLength = view.getUint32(0, true);
      const length = this.#headLength + view.getUint32(4, true);
      if (PREFIX + length > this.greatestBytes)
        throw new GenserveError(
          'PAYLOAD_TOO_LARGE',
          `a frame has ${PREFIX + length} bytes; at most ${this.greatestBytes} are taken`,
        );
      this.#target = new Uint8Array(length);
      if (length > 0) return;
    }
    messages.push(decodeBody(this.#target, this.#headLength));
    this.#headLength = undefined;
    this.#target = new Uint8Array(PREFIX);
  }

  /** Throws INVALID_ARGUMENT where the stream ended inside a frame. */
  end(): void {
    const held = this.#filled + (this.#headLength === undefined ? 0 : PREFIX);
    if (held > 0) throw invalid('body', `ends inside a frame, after ${held} of its bytes`);
  }
}

function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(sizeOfAll(parts));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

function sizeOfAll(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}
