// One step of an operation. Most are one run of one graph; a class-split ensemble runs a graph per member, and a
// resumable autoregressive graph may run in slices of image rows (contract, sections 2 and 4).
import type { Operation } from '@genserve/proto/manifest';
import { throwIfAborted } from './cancel.js';
import { GenserveError } from './errors.js';
import type { Runner } from './session.js';
import type { Tensors } from './tensor.js';

/** Rows of a picture that a resumable graph can draw one by one: the default of its row count; else 1. */
export function slicesOf({ inputs }: Operation): number {
  return inputs.find(({ role, name }) => role === 'count' && name === 'row_count')?.default ?? 1;
}

export interface StepPart {
  readonly outputs: Tensors;
  /** Of a slice that is not the last: the rows of each picture that are drawn, of how many. */
  readonly drawn?: { readonly rows: number; readonly of: number } | undefined;
}

/** One run of one graph, checked for its outputs. */
export type Run = (name: string, feeds: Tensors) => Promise<Tensors>;

export interface StepOptions {
  readonly signal?: AbortSignal | undefined;
  /** Draws a resumable graph's pictures row by row, whatever they cost. */
  readonly byRow?: boolean | undefined;
}

/** Outputs by port name for complete feeds. */
export async function runStep(
  runner: Runner,
  operation: Operation,
  feeds: Tensors,
  signal: AbortSignal | undefined,
): Promise<Tensors> {
  let outputs: Tensors = {};
  for await (const part of stepParts(runner, operation, feeds, { signal })) outputs = part.outputs;
  return outputs;
}

/** The parts of one step, in order: pictures drawn in slices as far as they have come, and last the whole. */
export async function* stepParts(
  runner: Runner,
  operation: Operation,
  feeds: Tensors,
  { signal, byRow = false }: StepOptions,
): AsyncGenerator<StepPart> {
  const run: Run = async (name, inputs) => {
    throwIfAborted(signal);
    const outputs = await runner.run(name, inputs, { signal });
    for (const port of operation.outputs)
      if (port.role !== 'state' && !outputs[port.name])
        throw new GenserveError('INTERNAL', `${operation.name} gave no output ${port.name}`);
    return outputs;
  };
  if (operation.members.length > 0) {
    const { runMembers } = await import('./members.js');
    yield { outputs: await runMembers(run, operation, feeds) };
    return;
  }
  const share = byRow ? 0 : runner.rowsPerStep(operation.name);
  if (slicesOf(operation) > 1 && share < 1) {
    const { runSlices } = await import('./slices.js');
    yield* runSlices(run, operation, feeds, share);
  } else yield { outputs: await run(operation.name, feeds) };
}
