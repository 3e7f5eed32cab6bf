// Where numbers of a program stopped being finite: the program is recorded again, and its tensors are looked at in the order in
// which they are computed.
import type { Tensors } from '@genserve/runtime';
import * as ort from 'onnxruntime-node';
import { rewrite } from '../graph/rewrite.js';
import { type Node, size, type Value } from '../graph/types.js';
import { writeModel } from '../graph/write.js';
import { STATE_PREFIX, trace } from '../trace/trace.js';
import type { Program, State } from './program.js';
import { toOrt } from './session.js';

/** Numbers that are looked at in one run, so that memory stays bounded: 128 MiB. */
const CHUNK = 2 ** 25;

/** The first tensor with a NaN or an infinity, for people: "input data", "variable w", "Log in decoder/output"; or nothing. */
export async function firstNonFinite(
  program: Program,
  batch: number,
  feeds: Tensors,
  state: State,
): Promise<string | undefined> {
  for (const [name, { data }] of Object.entries(feeds)) if (!finite(data)) return `input ${name}`;
  for (const { name } of program.state) if (!finite(state.get(name) ?? [])) return `variable ${name}`;
  const graph = trace(program, batch);
  const inputs: Record<string, ort.Tensor> = Object.fromEntries(
    Object.entries(feeds).map(([name, feed]) => [name, toOrt(feed)]),
  );
  for (const { name, shape } of program.state)
    inputs[`${STATE_PREFIX}${name}`] = new ort.Tensor('float32', state.get(name)!, shape);
  for (const chunk of chunks(graph.nodes)) {
    const outputs = chunk.map(({ value }, index) => ({ name: `tensor${index}`, value }));
    const model = writeModel(rewrite({ ...graph, outputs }));
    const session = await ort.InferenceSession.create(model, {
      graphOptimizationLevel: 'disabled',
      logSeverityLevel: 4,
    });
    try {
      const wanted = Object.entries(inputs).filter(([name]) => session.inputNames.includes(name));
      const results = await session.run(Object.fromEntries(wanted));
      // Outputs are float32, as chosen below.
      const index = chunk.findIndex((_, i) => !finite(results[`tensor${i}`]!.data as Float32Array));
      if (index >= 0) {
        const { operator, path } = chunk[index]!.node;
        return path === '' ? operator : `${operator} in ${path}`;
      }
    } finally {
      await session.release();
    }
  }
  return undefined;
}

/** Float tensors of nodes, in order, in parts of a bounded size. */
function chunks(nodes: readonly Node[]): { node: Node; value: Value }[][] {
  const result: { node: Node; value: Value }[][] = [];
  let left = 0;
  for (const node of nodes)
    for (const value of node.outputs) {
      if (value.type !== 'float32') continue;
      if (left <= 0) {
        result.push([]);
        left = CHUNK;
      }
      result.at(-1)!.push({ node, value });
      left -= size(value.shape);
    }
  return result;
}

function finite(values: ArrayLike<number>): boolean {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return false;
  return true;
}
