// Records a program as a graph.
import { GenserveError } from '@genserve/runtime';
import type { Program, State } from '../engine/program.js';
import { GraphBuilder } from '../graph/builder.js';
import type { Graph, Value } from '../graph/types.js';
import { RECORDER, recorder } from './backend.js';
import { cast } from './elementwise.js';
import { onPathChange, placeOf } from './scope.js';
import { onBackend, tf } from './tensorflow.js';

/** Prefixes of the graph's inputs and outputs that carry variables, so that they cannot clash with the program's own. */
export const STATE_PREFIX = 'state/';
export const NEXT_PREFIX = 'next/';

export interface TraceOptions {
  /** Given: variables become initialisers of these values (an exported operation). Absent: inputs and outputs. */
  readonly parameters?: State | undefined;
}

/**
 * The graph of `program` at one batch size. With variables as inputs, what the program assigns comes out as `next/<name>`.
 * @throws CONFIGURATION_INVALID where the program does what cannot be recorded: reading numbers back, drawing random
 * ones, a tfjs kernel without a mapping.
 */
export function trace(program: Program, batch: number, options: TraceOptions = {}): Graph {
  return onBackend(RECORDER, () => {
    const builder = new GraphBuilder();
    recorder.builder = builder;
    const stop = onPathChange(path => {
      builder.path = path;
    });
    try {
      return record(program, batch, builder, options.parameters);
    } catch (error) {
      throw explain(error, program);
    } finally {
      stop();
      recorder.builder = undefined;
      for (const variable of program.state) variable.bind(undefined);
    }
  });
}

function record(program: Program, batch: number, builder: GraphBuilder, parameters: State | undefined): Graph {
  const inputs = Object.fromEntries(
    program.inputs.map(({ name, dtype, shape }) => {
      const sizes = shape.map(extent => (extent === 'batch' ? batch : extent));
      return [name, tensor(builder.input(name, dtype, sizes))];
    }),
  );
  const bound = program.state.map(variable => {
    const value = parameters
      ? builder.constant(valuesOf(parameters, variable.name), 'float32', variable.shape, variable.name)
      : builder.input(`${STATE_PREFIX}${variable.name}`, 'float32', variable.shape, variable.name);
    const placeholder = tensor(value);
    variable.bind(placeholder);
    return placeholder;
  });
  const results = program.run(inputs);
  const outputs = Object.entries(results).map(([name, result]) => {
    const value = recorder.valueBehind(result);
    return { name, value: value.type === 'bool' ? cast(builder, value, 'int32') : value };
  });
  for (const [index, variable] of program.state.entries()) {
    if (variable.value === bound[index]) continue;
    if (parameters) {
      throw new GenserveError(
        'CONFIGURATION_INVALID',
        `operation '${program.name}' assigns variable '${variable.name}': served operations change no state`,
      );
    }
    outputs.push({ name: `${NEXT_PREFIX}${variable.name}`, value: recorder.valueBehind(variable.value) });
  }
  return builder.graph(program.name, outputs);
}

function tensor(value: Value): tf.Tensor {
  const { dataId, shape, dtype } = recorder.tensorOf(value);
  return tf.engine().makeTensorFromTensorInfo({ dataId, shape, dtype }, recorder);
}

function valuesOf(parameters: State, name: string): Float32Array {
  const values = parameters.get(name);
  if (!values) throw new GenserveError('INTERNAL', `the state holds no values for variable '${name}'`);
  return values;
}

/** tfjs reports a missing kernel by its name alone: adds where it was called. */
function explain(error: unknown, program: Program): unknown {
  if (!(error instanceof Error)) return error;
  const kernel = /(?:registered kernel|^Kernel) '(\w+)'/.exec(error.message)?.[1];
  if (!kernel) return error;
  const frame = (error.stack ?? '').split('\n').find(line => line.includes('at ') && !line.includes('node_modules'));
  const path = placeOf(error);
  return new GenserveError(
    'CONFIGURATION_INVALID',
    `the recorder has no mapping for the tfjs kernel ${kernel}, called in program '${program.name}'` +
      `${path === '' ? '' : `, module '${path}'`}${frame ? `, ${frame.trim()}` : ''}`,
    { cause: error },
  );
}
