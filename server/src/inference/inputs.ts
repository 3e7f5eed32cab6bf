// The inputs of one inference as the transports read them, checked and turned into what the operation takes.
import { GenserveError, invalid, type Operation, type Tensor, type Tensors } from '@genserve/runtime';
import { elementsFromBytes, elementsFromNumbers, readDatatype } from './datatypes.js';
import { lengthOf, tensorOf } from './tensors.js';

/** Request, tensor and output parameters by name. */
export type Parameters = Readonly<Record<string, unknown>>;

export interface GivenInput {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly parameters: Parameters;
  readonly contents: { readonly raw: Uint8Array } | { readonly numbers: readonly number[] };
  /** Where the contents stood, for error messages. */
  readonly field: string;
}

/** @throws INVALID_ARGUMENT, OPERATION_UNSUPPORTED */
export function readInputs(inputs: readonly GivenInput[], operation: Operation): Tensors {
  const given: Record<string, Tensor> = {};
  inputs.forEach((input, i) => {
    const place = `inputs[${i}]`;
    if (given[input.name] !== undefined) throw invalid(`${place}.name`, `${input.name} is there twice`);
    given[input.name] = readInput(input, operation, place);
  });
  return given;
}

function readInput(input: GivenInput, operation: Operation, place: string): Tensor {
  const { name, shape, contents, field } = input;
  const port = operation.inputs.find(candidate => candidate.name === name);
  if (port === undefined) {
    const known = operation.inputs.map(candidate => candidate.name).join(', ');
    throw invalid(`${place}.name`, `there is no input "${name}"; inputs are ${known}`);
  }
  refuseSharedMemory(input.parameters, place);
  const datatype = readDatatype(input.datatype, `${place}.datatype`);
  const length = lengthOf(shape, `${place}.shape`);
  const elements =
    'raw' in contents
      ? elementsFromBytes(datatype, length, contents.raw, field)
      : elementsFromNumbers(datatype, length, contents.numbers, field);
  return tensorOf(port, datatype, shape, elements, place);
}

/** The server may be on another machine; regions of memory are named by nobody but its neighbours. */
export function refuseSharedMemory(parameters: Parameters, place: string): void {
  if (parameters.shared_memory_region === undefined) return;
  const field = `${place}.parameters.shared_memory_region`;
  throw new GenserveError('OPERATION_UNSUPPORTED', `${field}: shared memory is not supported; send the tensor`, {
    field,
  });
}
