// A served operation as a program, so that it is traced, evaluated and exported like a training step.
import type { Program, ProgramInput } from '../engine/program.js';
import type { OperationSpec, PortSpec } from '../family.js';
import type { Variable } from '../nn/variable.js';

/** Shape of a port of a graph: [batch, ...shape], or [] for a count. */
export function portShape(port: PortSpec): (number | 'batch')[] {
  return port.role === 'count' ? [] : ['batch', ...(port.shape ?? [])];
}

export function operationProgram(operation: OperationSpec, variables: readonly Variable[]): Program {
  return {
    name: operation.name,
    inputs: operation.inputs.map((port): ProgramInput => {
      return { name: port.name, dtype: port.dtype ?? 'float32', shape: portShape(port) };
    }),
    state: variables,
    run: inputs => operation.run(inputs),
  };
}
