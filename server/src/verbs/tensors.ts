// Tensors as messages carry them (little-endian bytes, or numbers) and as the runtime takes them.
import type { generator } from '@genserve/proto/wire';
import { invalid, sizeOf, type Tensor, toBytes } from '@genserve/runtime';

const bytesPerElement = { float32: 4, int32: 4, uint8: 1 } as const;
type WireType = keyof typeof bytesPerElement;

/** Levels of uint8: a picture's value is level / 255. */
const greatestLevel = 255;

/** @throws INVALID_ARGUMENT naming what of `field` is wrong. What the values may be is the operation's matter. */
export function readTensor(wire: generator.Tensor, field: string): Tensor {
  const { dtype = '' } = wire;
  if (!isWireType(dtype)) throw invalid(`${field}.dtype`, `must be float32, int32 or uint8, was "${dtype}"`);
  const shape = readShape(wire.shape, `${field}.shape`);
  const length = sizeOf(shape);
  if (wire.values.length > 0 && wire.data.length > 0) throw invalid(field, 'takes data or values, not both');
  if (wire.values.length > 0) {
    if (wire.values.length !== length) {
      throw invalid(`${field}.values`, `must be ${length} numbers for shape [${shape}], were ${wire.values.length}`);
    }
    return fromValues(dtype, shape, wire.values, `${field}.values`);
  }
  const expected = length * bytesPerElement[dtype];
  if (wire.data.length !== expected) {
    throw invalid(`${field}.data`, `must be ${expected} bytes for ${dtype} [${shape}], were ${wire.data.length}`);
  }
  if (dtype === 'uint8') {
    return { dtype: 'float32', shape, data: Float32Array.from(wire.data, level => level / greatestLevel) };
  }
  const { buffer, byteOffset } = aligned(wire.data);
  if (dtype === 'int32') return { dtype, shape, data: new Int32Array(buffer, byteOffset, length) };
  return { dtype, shape, data: new Float32Array(buffer, byteOffset, length) };
}

/** Typed arrays need an aligned start, and messages give bytes at any offset: those elsewhere are copied. */
function aligned(bytes: Buffer): Uint8Array<ArrayBuffer> {
  // Buffers of this process are never shared with another thread.
  return bytes.byteOffset % 4 === 0 ? (bytes as Buffer<ArrayBuffer>) : new Uint8Array(bytes);
}

export function writeTensor({ dtype, shape, data }: Tensor): generator.Tensor {
  return wireTensor(dtype, shape, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

/** Values in [0, 1] as the nearest of 256 levels. */
export function writeLevels(tensor: Tensor): generator.Tensor {
  return wireTensor('uint8', tensor.shape, toBytes(tensor));
}

function wireTensor(dtype: WireType, shape: readonly number[], bytes: Uint8Array): generator.Tensor {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { dtype, shape: [...shape], data, values: [] };
}

function isWireType(text: string): text is WireType {
  return Object.hasOwn(bytesPerElement, text);
}

function readShape(shape: readonly number[], field: string): number[] {
  if (shape.length === 0) throw invalid(field, 'must be given');
  const wrong = shape.findIndex(length => !Number.isSafeInteger(length) || length < 1);
  if (wrong >= 0) throw invalid(field, `must be integers of 1 or more, was [${shape}]`);
  if (sizeOf(shape) > 2 ** 30) throw invalid(field, `[${shape}] is more than a request can hold`);
  return [...shape];
}

function fromValues(dtype: WireType, shape: number[], values: readonly number[], field: string): Tensor {
  if (dtype === 'float32') return { dtype, shape, data: Float32Array.from(values) };
  const [least, greatest] = dtype === 'int32' ? [-(2 ** 31), 2 ** 31 - 1] : [0, greatestLevel];
  const wrong = values.findIndex(value => !Number.isInteger(value) || value < least || value > greatest);
  if (wrong >= 0) {
    throw invalid(`${field}[${wrong}]`, `must be an integer from ${least} to ${greatest}, was ${values[wrong]}`);
  }
  if (dtype === 'int32') return { dtype, shape, data: Int32Array.from(values) };
  return { dtype: 'float32', shape, data: Float32Array.from(values, level => level / greatestLevel) };
}
