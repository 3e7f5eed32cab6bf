// Tensors of the Open Inference Protocol v2 and the runtime's. What a model takes and gives is FP32 and INT32; inputs of
// other datatypes are converted by value where that loses nothing but a float's precision, and refused otherwise.
import { invalid, type Port, sizeOf, type Tensor } from '@genserve/runtime';
import { type Datatype, datatypes, type Elements } from './datatypes.js';

export function datatypeOf({ dtype }: Pick<Port, 'dtype'>): 'FP32' | 'INT32' {
  return dtype === 'int32' ? 'INT32' : 'FP32';
}

/** Elements as the port takes them. @throws INVALID_ARGUMENT where one cannot be held. */
export function tensorOf(
  { name, dtype }: Port,
  datatype: Datatype,
  shape: readonly number[],
  elements: Elements,
  field: string,
): Tensor {
  if (dtype === 'int32') return { dtype: 'int32', shape, data: toInt32(name, datatype, elements, field) };
  return { dtype: 'float32', shape, data: toFloat32(datatype, elements, field) };
}

function toInt32(name: string, datatype: Datatype, elements: Elements, field: string): Int32Array<ArrayBuffer> {
  if (elements instanceof Int32Array) return elements;
  if (datatypes[datatype].kind === 'float') {
    throw invalid(`${field}.datatype`, `of ${name} must be INT32 or another integer, was ${datatype}`);
  }
  const data = Int32Array.from(elements);
  const wrong = data.findIndex((value, i) => value !== elements[i]);
  if (wrong >= 0) throw invalid(field, `must hold 32-bit integers, as ${name} is INT32; has ${elements[wrong]}`);
  return data;
}

function toFloat32(datatype: Datatype, elements: Elements, field: string): Float32Array<ArrayBuffer> {
  if (elements instanceof Float32Array) return elements;
  const data = Float32Array.from(elements);
  const { kind } = datatypes[datatype];
  if (kind === 'boolean' || datatype === 'FP32') return data;
  const isLost = (value: number, given: number) =>
    kind === 'integer' ? value !== given : Number.isFinite(given) && !Number.isFinite(value);
  const wrong = data.findIndex((value, i) => isLost(value, elements[i] ?? 0));
  if (wrong >= 0) throw invalid(field, `holds ${elements[wrong]}, which FP32 (what the model computes in) cannot hold`);
  return data;
}

/** Little-endian. */
export function bytesOf({ data }: Tensor): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

/** JSON has no NaN and no infinities: they are strings, as in proto3 JSON, which NumPy reads as well. */
export function numbersOf({ data }: Tensor): (number | string)[] {
  return Array.from(data as ArrayLike<number>, value => (Number.isFinite(value) ? value : String(value)));
}

const deepest = 32;

/** JSON data, flat or nested, in row-major order; true and false are 1 and 0. */
export function flattenData(data: unknown, field: string): number[] {
  const numbers: number[] = [];
  const visit = (item: unknown, depth: number): void => {
    if (typeof item === 'number') numbers.push(item);
    else if (typeof item === 'boolean') numbers.push(item ? 1 : 0);
    else if (typeof item === 'string' && /^(NaN|-?Infinity)$/.test(item)) numbers.push(Number(item));
    else if (Array.isArray(item) && depth < deepest) for (const inner of item) visit(inner, depth + 1);
    else throw invalid(field, `must be numbers, has ${describe(item)}`);
  };
  visit(data, 0);
  return numbers;
}

function describe(item: unknown): string | undefined {
  if (Array.isArray(item)) return `lists more than ${deepest} deep`;
  return typeof item === 'object' && item !== null ? 'an object' : JSON.stringify(item)?.slice(0, 40);
}

/** Elements of the shape. @throws INVALID_ARGUMENT for what is no shape. */
export function lengthOf(shape: readonly number[], field: string): number {
  const wrong = shape.length > deepest || shape.some(length => !Number.isSafeInteger(length) || length < 0);
  if (wrong || sizeOf(shape) > 2 ** 30) throw invalid(field, `has the shape [${shape.slice(0, 8)}], which is not one`);
  return sizeOf(shape);
}
