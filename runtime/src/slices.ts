// Resumable autoregressive graphs, run in slices of image rows (contract, section 4). Loaded when a picture is first
// drawn so.
import type { Operation } from '@genserve/proto/manifest';
import { inputsOf } from './manifest.js';
import type { Run, StepPart } from './steps.js';
import { int32, sizeOf, type Tensor, type Tensors, zeros } from './tensor.js';

/** The count ports of a resumable graph, int32 scalars whose defaults give the whole image in one run. */
const FIRST_ROW = 'first_row';
const ROW_COUNT = 'row_count';

/**
 * Runs `share` of the image's rows at a time, handing each slice's caches (role state, outputs in the order of the
 * inputs) to the next. Data outputs are the slice's rows, or [batch, height, ...] with everything drawn so far: a later
 * slice may revise earlier rows.
 */
export async function* runSlices(
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
    const outputs = await run(operation.name, copies(given));
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
    else yield { outputs: copies(results), drawn: { rows, of: height } };
  }
}

function copies(tensors: Tensors): Tensors {
  const copy = (tensor: Tensor) => ({ ...tensor, data: tensor.data.slice() });
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, copy(tensor)]));
}
