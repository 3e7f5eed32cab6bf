// The messages of ModelInfer, and what the server's core makes of them.
import type { inference } from '@genserve/proto/wire';
import { invalid } from '@genserve/runtime';
import type { InferenceAnswer, InferenceRequest } from '../inference/infer.js';
import type { GivenInput, Parameters } from '../inference/inputs.js';
import { bytesOf, datatypeOf } from '../inference/tensors.js';

export function readRequest(request: inference.ModelInferRequest): InferenceRequest {
  return {
    model: request.modelName,
    version: request.modelVersion,
    id: request.id,
    parameters: readParameters(request.parameters),
    inputs: readInputs(request),
    outputs: request.outputs.map(({ name, parameters }) => ({ name, parameters: readParameters(parameters) })),
  };
}

/** All inputs raw, or all as typed contents: the protocol forbids to mix them. */
function readInputs({ inputs, rawInputContents }: inference.ModelInferRequest): GivenInput[] {
  const raw = rawInputContents.length > 0;
  if (raw && rawInputContents.length !== inputs.length) {
    throw invalid('raw_input_contents', `must be one for each of the ${inputs.length} inputs`);
  }
  return inputs.map((input, i) => {
    const { name, datatype, shape, contents } = input;
    const parameters = readParameters(input.parameters);
    const head = { name, datatype, shape, parameters };
    const field = `inputs[${i}].contents`;
    if (raw && contents !== undefined) throw invalid(field, 'must be absent where raw_input_contents are given');
    if (raw) {
      const place = `raw_input_contents[${i}]`;
      return { ...head, contents: { raw: rawInputContents[i] ?? Buffer.alloc(0) }, field: place };
    }
    return { ...head, contents: { numbers: numbersOf(datatype, contents, field) }, field };
  });
}

/** Which of the lists holds what, by datatype; the others must be empty. */
const listOf: Readonly<Record<string, keyof inference.InferTensorContents>> = {
  BOOL: 'boolContents',
  INT8: 'intContents',
  INT16: 'intContents',
  INT32: 'intContents',
  INT64: 'int64Contents',
  UINT8: 'uintContents',
  UINT16: 'uintContents',
  UINT32: 'uintContents',
  UINT64: 'uint64Contents',
  FP32: 'fp32Contents',
  FP64: 'fp64Contents',
};

function numbersOf(datatype: string, contents: inference.InferTensorContents | undefined, field: string): number[] {
  const list = listOf[datatype];
  if (list === undefined) {
    const isHalf = datatype === 'FP16' || datatype === 'BF16';
    if (isHalf) throw invalid(field, `of ${datatype} must be given in raw_input_contents`);
    return []; // what is no datatype of a model is refused with the input
  }
  if (contents === undefined) return [];
  const other = Object.entries(contents).find(([name, values]) => name !== list && values.length > 0);
  if (other !== undefined) throw invalid(field, `of ${datatype} must be in ${list}, were in ${other[0]}`);
  return contents[list].map(Number);
}

/** Whichever member of its oneof each parameter has. */
export function readParameters(parameters: Readonly<Record<string, object>>): Parameters {
  const entries = Object.entries(parameters).map(([name, choice]) => [
    name,
    Object.values(choice).find(value => value !== undefined),
  ]);
  return Object.fromEntries(entries);
}

/** Outputs are raw, as every client of the protocol reads them. */
export function writeAnswer(answer: InferenceAnswer): inference.ModelInferResponse {
  const parameters = Object.entries(answer.parameters).map(([name, value]) => [name, { int64Param: value }]);
  return {
    modelName: answer.model,
    modelVersion: answer.version,
    id: answer.id ?? '',
    parameters: Object.fromEntries(parameters),
    outputs: answer.outputs.map(({ name, tensor }) => ({
      name,
      datatype: datatypeOf(tensor),
      shape: [...tensor.shape],
      parameters: {},
      contents: undefined,
    })),
    rawOutputContents: answer.outputs.map(({ tensor }) => bytesOf(tensor)),
  };
}
