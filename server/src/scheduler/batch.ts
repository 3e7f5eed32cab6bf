// Rows of several requests in one run: which may go together, how they are joined, and how the answers are parted.
import { concatenate, GenserveError, type Operation, type Port, type Tensor, type Tensors } from '@genserve/runtime';

/** Dimension 0 is the batch where the manifest writes 0. */
export function isBatchPort(port: Port): boolean {
  return port.shape[0] === 0;
}

/** Rows that `feeds` carry in the operation's batch ports; 1 for an operation without any. */
export function rowsOf(operation: Operation, feeds: Tensors): number {
  const port = operation.inputs.find(candidate => isBatchPort(candidate) && feeds[candidate.name] !== undefined);
  return port === undefined ? 1 : (feeds[port.name]?.shape[0] ?? 0);
}

export function bytesOf(feeds: Tensors): number {
  return Object.values(feeds).reduce((sum, tensor) => sum + tensor.data.byteLength, 0);
}

/**
 * Requests with equal keys may share a run: their batch ports agree in every dimension but the first, and what is not
 * per row (counts, scalars) is the same to the bit.
 */
export function companionKey(operation: Operation, feeds: Tensors): string {
  return operation.inputs
    .map(port => {
      const tensor = feeds[port.name];
      if (tensor === undefined) return `${port.name}:absent`;
      if (isBatchPort(port)) return `${port.name}:${tensor.shape.slice(1).join('x')}`;
      return `${port.name}=${tensor.shape.join('x')}:${Buffer.from(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength).toString('base64')}`;
    })
    .join(';');
}

/** One set of feeds with the rows of all members in order. All have the same companion key. */
export function joinRows(operation: Operation, members: readonly Tensors[]): Tensors {
  const [first] = members;
  if (first === undefined || members.length === 1) return first ?? {};
  const joined: Record<string, Tensor> = { ...first };
  for (const { name } of operation.inputs.filter(isBatchPort)) {
    if (first[name] !== undefined) joined[name] = concatenate(members.map(member => tensorOf(member, name)));
  }
  return joined;
}

/** Rows [start, start + count) of `total` in every batch port, uncopied; other tensors are shared. */
export function takeRows(
  ports: readonly Port[],
  tensors: Tensors,
  start: number,
  count: number,
  total: number,
): Tensors {
  if (start === 0 && count === total) return tensors;
  const taken: Record<string, Tensor> = { ...tensors };
  for (const { name } of ports.filter(isBatchPort)) {
    const { dtype, shape, data } = tensorOf(tensors, name);
    if (shape[0] !== total) {
      throw new GenserveError('INTERNAL', `${name} has ${shape[0]} rows where the batch had ${total}`);
    }
    const rowLength = data.length / total;
    const rows = data.subarray(start * rowLength, (start + count) * rowLength);
    taken[name] = { dtype, shape: [count, ...shape.slice(1)], data: rows };
  }
  return taken;
}

function tensorOf(tensors: Tensors, name: string): Tensor {
  const tensor = tensors[name];
  if (tensor === undefined) throw new GenserveError('INTERNAL', `the tensor ${name} is missing`);
  return tensor;
}
