// Tensors of the Open Inference Protocol v2 (FP32 and INT32 are what bundles take and give) and the runtime's.
import { invalid, type Port, sizeOf, type Tensor } from '@genserve/runtime';

export type Datatype = 'FP32' | 'INT32';

export function datatypeOf({ dtype }: Pick<Port, 'dtype'>): Datatype {
  return dtype === 'int32' ? 'INT32' : 'FP32';
}

/** Raw little-endian bytes. */
export function tensorFromBytes(datatype: Datatype, shape: readonly number[], raw: Uint8Array, field: string): Tensor {
  const expected = 4 * checkedSize(shape, field);
  if (raw.length !== expected) {
    throw invalid(field, `must be ${expected} bytes for ${datatype} [${shape}], were ${raw.length}`);
  }
  const { buffer } = Uint8Array.from(raw); // at an aligned start
  return datatype === 'INT32'
    ? { dtype: 'int32', shape, data: new Int32Array(buffer) }
    : { dtype: 'float32', shape, data: new Float32Array(buffer) };
}

/** Numbers in row-major order, flat or nested. */
export function tensorFromNumbers(datatype: Datatype, shape: readonly number[], data: unknown, field: string): Tensor {
  const numbers: number[] = [];
  flatten(data, numbers, field);
  const expected = checkedSize(shape, field);
  if (numbers.length !== expected) {
    throw invalid(field, `must hold ${expected} numbers for shape [${shape}], has ${numbers.length}`);
  }
  if (datatype === 'FP32') return { dtype: 'float32', shape, data: Float32Array.from(numbers) };
  const wrong = numbers.find(value => !Number.isInteger(value) || Math.abs(value) >= 2 ** 31);
  if (wrong !== undefined) throw invalid(field, `must hold 32-bit integers, has ${wrong}`);
  return { dtype: 'int32', shape, data: Int32Array.from(numbers) };
}

export function bytesOf({ data }: Tensor): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

function flatten(data: unknown, into: number[], field: string): void {
  if (typeof data === 'number') into.push(data);
  else if (Array.isArray(data)) for (const item of data) flatten(item, into, field);
  else throw invalid(field, `must be numbers, has ${JSON.stringify(data)?.slice(0, 40)}`);
}

function checkedSize(shape: readonly number[], field: string): number {
  const wrong = shape.some(length => !Number.isSafeInteger(length) || length < 0);
  if (wrong || sizeOf(shape) > 2 ** 30) throw invalid(field, `has the shape [${shape}], which is not one`);
  return sizeOf(shape);
}
