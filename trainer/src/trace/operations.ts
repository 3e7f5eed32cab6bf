// Operations as ONNX files: traced at two batch sizes, optimised, compared, and written over one weights file.
import { GenserveError } from '@genserve/runtime';
import type { Program, State } from '../engine/program.js';
import { compareRecordings } from '../graph/batch.js';
import { countMacs, countParameters, listOperators } from '../graph/cost.js';
import { optimise } from '../graph/optimise.js';
import { Weights, writeModel } from '../graph/write.js';
import { trace } from './trace.js';

/** Unlikely to be equal to an extent that does not depend on the batch, and small enough to be cheap. */
const BATCHES = [5, 7, 11] as const;

export interface OperationGraph {
  readonly name: string;
  /** ONNX bytes; initialisers of 1 kB and more lie in the weights file. */
  readonly model: Uint8Array<ArrayBuffer>;
  readonly cost: {
    readonly parameters: number;
    /** Multiply-accumulates per sample. */
    readonly macs: number;
  };
  /** ONNX operators that a runtime needs, sorted; 'com.microsoft.' in front of its own. */
  readonly operators: readonly string[];
}

export interface OperationGraphs {
  readonly operations: readonly OperationGraph[];
  /** Content of `weights.bin`, shared by all operations. */
  readonly weights: Uint8Array<ArrayBuffer>;
}

/**
 * The graphs of `operations` with variables frozen at `parameters`; dimension 0 of batch ports is symbolic.
 * @throws where an operation cannot be recorded, or depends on the batch in a way that no graph can express.
 */
export function exportOperations(operations: readonly Program[], parameters: State): OperationGraphs {
  const weights = new Weights();
  return {
    operations: operations.map(program => exportOperation(program, parameters, weights)),
    weights: weights.bytes(),
  };
}

function exportOperation(program: Program, parameters: State, weights: Weights): OperationGraph {
  const record = (batch: number) => ({ batch, graph: optimise(trace(program, batch, { parameters })) });
  const [first, second] = [record(BATCHES[0]), record(BATCHES[1])];
  const batch = compareRecordings(first, second, () => record(BATCHES[2]));
  const { graph } = first;
  for (const { name, value } of graph.outputs) {
    if (batch.hasBatch(value)) continue;
    throw new GenserveError(
      'CONFIGURATION_INVALID',
      `output '${name}' of operation '${program.name}' has shape [${value.shape}] whatever the batch: its dimension 0 must be the batch`,
    );
  }
  const grown = countMacs(second.graph) - countMacs(graph);
  return {
    name: program.name,
    model: writeModel(graph, { weights, batch }),
    cost: { parameters: countParameters(graph), macs: grown / (second.batch - first.batch) },
    operators: listOperators(graph),
  };
}
