// Any operation on its own ports, as the Open Inference Protocol runs it. Loaded when it is first asked for.
import type { Calls } from './calls.js';
import type { InferOptions } from './generator.js';
import { findOperation } from './manifest.js';
import { isScoring, OperationInputs } from './ports.js';
import type { Tensors } from './tensor.js';

export async function infer(calls: Calls, name: string, given: Tensors, options: InferOptions): Promise<Tensors> {
  const operation = findOperation(calls.manifest, name);
  const { seed = 0, firstIndex = 0 } = options;
  const count = Math.max(1, ...Object.values(given).map(({ shape }) => shape[0] ?? 1));
  const inputs = new OperationInputs(calls.manifest, operation, count, given, seed);
  const scoring = isScoring(operation.name);
  const rows = Array.from({ length: count }, (_, index) => ({
    index,
    sample: scoring ? 0 : firstIndex + index,
    draw: 0,
  }));
  const outputs = operation.outputs.filter(({ role }) => role !== 'state');
  return await calls.gather({ operation, inputs, rows, options }, outputs);
}
