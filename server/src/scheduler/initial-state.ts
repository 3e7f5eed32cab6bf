// What a resumable graph begins with is zeros, tens of kilobytes a row: they are left out on the way to an executor, which
// makes them itself.
import { type Operation, type Port, sizeOf, type Tensor, type Tensors, zeros } from '@genserve/runtime';
import { rowsOf } from './batch.js';

export function withoutInitialState(operation: Operation, feeds: Tensors): Tensors {
  if (!operation.inputs.some(isState)) return feeds;
  const initial = operation.inputs.filter(port => isState(port) && isZero(feeds[port.name])).map(port => port.name);
  return Object.fromEntries(Object.entries(feeds).filter(([name]) => !initial.includes(name)));
}

export function withInitialState(operation: Operation, feeds: Tensors): Tensors {
  const missing = operation.inputs.filter(port => isState(port) && feeds[port.name] === undefined);
  if (missing.length === 0) return feeds;
  const rows = rowsOf(operation, feeds);
  return { ...feeds, ...Object.fromEntries(missing.map(port => [port.name, zeroTensor(port, rows)])) };
}

function isState({ role }: Port): boolean {
  return role === 'state';
}

/** Each byte equals the next, and the first is 0: one comparison by the system's own routine. */
function isZero(tensor: Tensor | undefined): boolean {
  if (tensor === undefined) return false;
  const { buffer, byteOffset, byteLength } = tensor.data;
  const bytes = Buffer.from(buffer, byteOffset, byteLength);
  return bytes[0] === 0 && bytes.subarray(1).equals(bytes.subarray(0, -1));
}

function zeroTensor({ dtype, shape: [, ...rest] }: Port, rows: number): Tensor {
  const shape = [rows, ...rest];
  return { dtype: dtype === 'int32' ? 'int32' : 'float32', shape, data: zeros(dtype, sizeOf(shape)) };
}
