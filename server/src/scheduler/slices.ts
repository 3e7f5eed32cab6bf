// Resumable autoregressive graphs draw a picture in slices of its rows (contract, section 4): what share of one a run draws.
import type { Operation, Port, Tensors } from '@genserve/runtime';

const rowCount = 'row_count';

export function isResumable(operation: Operation): boolean {
  return operation.inputs.some(port => port.role === 'count' && port.name === rowCount);
}

/** 1 for graphs that do all of their work in one run. */
export function shareOf(operation: Operation, feeds: Tensors): number {
  if (!isResumable(operation)) return 1;
  const port = operation.inputs.find(({ name }) => name === rowCount);
  const whole = port?.default ?? 1;
  const count = feeds[rowCount]?.data[0] ?? whole;
  return whole > 0 && count > 0 ? Math.min(1, count / whole) : 1;
}

/** The outputs that a run gives: those asked for, else all but the state that it ends with. The next slice needs all of them. */
export function wantedOf(operation: Operation, feeds: Tensors, names?: readonly string[]): readonly Port[] {
  if (shareOf(operation, feeds) < 1) return operation.outputs;
  return operation.outputs.filter(({ name, role }) => names?.includes(name) ?? role !== 'state');
}
