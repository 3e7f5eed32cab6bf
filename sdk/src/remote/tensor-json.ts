// Tensors in proto3 JSON: little-endian bytes in base64, for servers and streams that carry no binary bodies.
import { GenserveError, isTensor, type Message, type Tensor } from '@genserve/runtime';
import { fieldsOf, listOf } from './messages.js';

export function hasTensor(message: Message | undefined): boolean {
  if (isTensor(message)) return true;
  return typeof message === 'object' && message !== null && Object.values(message).some(hasTensor);
}

/** The message with every tensor as {dtype, shape, data: base64}. */
export function tensorsToJson(message: Message | undefined): unknown {
  if (isTensor(message)) {
    const { dtype, shape, data } = message;
    return { dtype, shape, data: toBase64(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)) };
  }
  if (typeof message !== 'object' || message === null) return message;
  if (Array.isArray(message)) return message.map(tensorsToJson);
  return Object.fromEntries(Object.entries(message).map(([key, value]) => [key, tensorsToJson(value)]));
}

/** A tensor of an answer: already one (binary bodies), or as JSON with base64 `data` or plain `values`. */
export function readTensor(value: unknown, field: string): Tensor {
  if (isTensor(value) && value.dtype !== 'uint8') return value;
  const json = fieldsOf(value);
  const { dtype, data } = json;
  const shape = listOf(json, 'shape').map(Number);
  const values = listOf(json, 'values').map(Number);
  const bytes = typeof data === 'string' ? fromBase64(data) : undefined;
  if (dtype === 'float32') {
    return { dtype, shape, data: bytes ? new Float32Array(bytes.buffer) : Float32Array.from(values) };
  }
  if (dtype === 'int32') return { dtype, shape, data: bytes ? new Int32Array(bytes.buffer) : Int32Array.from(values) };
  throw new GenserveError('INTERNAL', `${field} of the answer is not a float32 or int32 tensor`);
}

const CHUNK = 0x8000;

function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (let start = 0; start < bytes.length; start += CHUNK) {
    binary += String.fromCharCode(...bytes.subarray(start, start + CHUNK));
  }
  return btoa(binary);
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), character => character.charCodeAt(0));
}
