// One step of an operation. Most are one run of one graph; a class-split ensemble runs a graph per member, and a
// resumable autoregressive graph may run in slices of image rows (contract, sections 2 and 4).
import type { Operation } from '@genserve/proto/manifest';
import { throwIfAborted } from './cancel.js';
import { GenserveError, invalid } from './errors.js';
import { inputsOf } from './manifest.js';
import type { Runner } from './session.js';
import { concatenate, int32, sizeOf, type Tensor, type Tensors, takeRows, zeros } from './tensor.js';

/** The count ports of a resumable graph, int32 scalars whose defaults give the whole image in one run. */
const FIRST_ROW = 'first_row';
const ROW_COUNT = 'row_count';

export interface StepPart {
  readonly outputs: Tensors;
  /** Of a slice that is not the last: the rows of each picture that are drawn, of how many. */
  readonly drawn?: { readonly rows: number; readonly of: number } | undefined;
}

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
  const run = async (name: string, inputs: Tensors) => {
    throwIfAborted(signal);
    const outputs = await runner.run(name, inputs, { signal });
    for (const port of operation.outputs)
      if (!outputs[port.name])
        throw new GenserveError('INTERNAL', `the graph of ${operation.name} gave no output ${port.name}`);
    return outputs;
  };
  if (operation.members.length > 0) {
    yield { outputs: await runMembers(run, operation, feeds) };
    return;
  }
  const share = byRow ? 0 : runner.rowsPerStep(operation.name);
  const resumable = operation.inputs.some(port => port.role === 'count' && port.name === ROW_COUNT);
  if (resumable && share < 1) yield* runSlices(run, operation, feeds, share);
  else yield { outputs: await run(operation.name, feeds) };
}

type Run = (name: string, feeds: Tensors) => Promise<Tensors>;

/** Each row by the member that serves its label; answers come back in the order of the rows. */
async function runMembers(run: Run, operation: Operation, feeds: Tensors): Promise<Tensors> {
  const { name, members, inputs, outputs } = operation;
  const [label] = inputsOf(operation, 'label');
  // parseManifest asks ensembles for a label port.
  const memberOf = Array.from(feeds[label!.name]!.data, value => {
    const found = members.findIndex(({ labels }) => labels.includes(value));
    if (found < 0) throw invalid('label', `no member of ${name} serves label ${value}`);
    return found;
  });
  const order: number[] = [];
  const parts: Tensors[] = [];
  for (const member of new Set(memberOf)) {
    const rows = [...memberOf.keys()].filter(row => memberOf[row] === member);
    const part = inputs.map(port => {
      const feed = feeds[port.name]!;
      return [port.name, port.shape.length > 0 ? takeRows(feed, rows) : copy(feed)];
    });
    parts.push(await run(`${name}#${member}`, Object.fromEntries(part)));
    order.push(...rows);
  }
  const back = memberOf.map((_, row) => order.indexOf(row));
  return Object.fromEntries(
    outputs.map(port => [port.name, takeRows(concatenate(parts.map(part => part[port.name]!)), back)]),
  );
}

/**
 * Runs `share` of the image's rows at a time, handing each slice's caches (role state, outputs in the order of the
 * inputs) to the next. Data outputs are the slice's rows, or [batch, height, ...] with everything drawn so far: a later
 * slice may revise earlier rows.
 */
async function* runSlices(
  run: Run,
  operation: Operation,
  feeds: Tensors,
  share: number,
): AsyncGenerator<StepPart, void, undefined> {
  const stateInputs = inputsOf(operation, 'state');
  const stateOutputs = operation.outputs.filter(port => port.role === 'state');
  const pictures = operation.outputs.filter(port => port.role === 'data');
  const height = pictures[0]?.shape[1] ?? 1;
  const slice = Math.max(1, Math.floor(height * share));
  const results: Record<string, Tensor> = {};
  let states: Tensors = {};
  for (let first = 0; first < height; first += slice) {
    const count = Math.min(slice, height - first);
    const given = { ...feeds, ...states, [FIRST_ROW]: int32([], [first]), [ROW_COUNT]: int32([], [count]) };
    // Copies, as a runner may transfer what it is given.
    const outputs = await run(operation.name, mapTensors(given, copy));
    states = Object.fromEntries(stateInputs.map(({ name }, i) => [name, outputs[stateOutputs[i]!.name]!]));
    for (const { name } of pictures) {
      const { dtype, shape, data } = outputs[name]!;
      const [batch = 0, rows = 0, ...rest] = shape;
      if (rows === height) {
        results[name] = outputs[name]!;
        continue;
      }
      const size = sizeOf(rest);
      results[name] ??= { dtype, shape: [batch, height, ...rest], data: zeros(dtype, batch * height * size) };
      for (let item = 0; item < batch; item++) {
        const part = data.subarray(item * count * size, (item + 1) * count * size);
        results[name].data.set(part, (item * height + first) * size);
      }
    }
    const rows = first + count;
    if (rows === height) yield { outputs: { ...outputs, ...results } };
    // Copies, as the next slice goes on in the same arrays.
    else yield { outputs: mapTensors(results, copy), drawn: { rows, of: height } };
  }
}

function mapTensors(tensors: Tensors, change: (tensor: Tensor) => Tensor): Tensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, change(tensor)]));
}

function copy(tensor: Tensor): Tensor {
  return { ...tensor, data: tensor.data.slice() };
}
