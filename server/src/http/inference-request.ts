// Requests of the Open Inference Protocol over HTTP: JSON, and JSON with binary tensors behind it (binary_tensor_data).
import { HEAD_LENGTH_HEADER, invalid, type Operation, splitBody } from '@genserve/runtime';
import { z } from 'zod';
import type { InferenceRequest } from '../inference/infer.js';
import type { GivenInput } from '../inference/inputs.js';
import { isOptional } from '../inference/models.js';
import { datatypeOf, flattenData } from '../inference/tensors.js';
import { validateJson } from '../verbs/validate.js';
import { parseJson } from './body.js';

const parameters = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional();

/** Clients of other servers send more than the protocol lists: unknown fields are let through. */
export const inferenceSchema = z.looseObject({
  id: z.string().optional(),
  parameters,
  inputs: z.array(
    z.looseObject({
      name: z.string(),
      datatype: z.string(),
      shape: z.array(z.int().min(0)),
      parameters,
      data: z.unknown().optional(),
    }),
  ),
  outputs: z.array(z.looseObject({ name: z.string(), parameters })).optional(),
});

type Body = Pick<InferenceRequest, 'id' | 'parameters' | 'inputs' | 'outputs'>;

/**
 * @param header of the bytes of JSON; "0": the body is nothing but one row of the only input that must be given.
 * @param operation that is asked for.
 * @throws INVALID_ARGUMENT
 */
export function readInference(header: string | undefined, bytes: Buffer, operation: Operation): Body {
  if (header === '0') return readBareTensor(bytes, operation);
  const { head, payload } =
    header === undefined
      ? { head: parseJson(bytes), payload: Buffer.alloc(0) }
      : splitBody(bytes, readHeadLength(header));
  validateJson(inferenceSchema, head);
  // Just checked.
  const body = head as z.infer<typeof inferenceSchema>;
  const outputs = body.outputs ?? [];
  return {
    id: body.id,
    parameters: body.parameters ?? {},
    inputs: readInputs(body.inputs, payload),
    outputs: outputs.map(output => ({ name: output.name, parameters: output.parameters ?? {} })),
  };
}

function readInputs(inputs: z.infer<typeof inferenceSchema>['inputs'], payload: Uint8Array): GivenInput[] {
  let offset = 0;
  const given = inputs.map((input, i): GivenInput => {
    const { name, datatype, shape, parameters: own = {} } = input;
    const size = own.binary_data_size;
    if (size === undefined) {
      const field = `inputs[${i}].data`;
      // What lies in shared memory has no data; it is refused with the input.
      const numbers = own.shared_memory_region === undefined ? flattenData(input.data, field) : [];
      return { name, datatype, shape, parameters: own, contents: { numbers }, field };
    }
    const field = `inputs[${i}].parameters.binary_data_size`;
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
      throw invalid(field, 'must be a count of bytes');
    if (offset + size > payload.length)
      throw invalid(field, `is ${size}; only ${payload.length - offset} bytes are left`);
    const raw = payload.subarray(offset, offset + size);
    offset += size;
    return { name, datatype, shape, parameters: own, contents: { raw }, field };
  });
  if (offset !== payload.length) {
    throw invalid('body', `${payload.length} bytes follow the JSON where its inputs state ${offset}`);
  }
  return given;
}

function readBareTensor(bytes: Buffer, operation: Operation): Body {
  const needed = operation.inputs.filter(port => !isOptional(port));
  const [port] = needed;
  if (port === undefined || needed.length > 1) {
    throw invalid(HEAD_LENGTH_HEADER, `may be 0 for a model with one input; ${operation.name} needs ${needed.length}`);
  }
  const input: GivenInput = {
    name: port.name,
    datatype: datatypeOf(port),
    shape: [1, ...port.shape.slice(1)],
    parameters: {},
    contents: { raw: bytes },
    field: 'body',
  };
  return { id: undefined, parameters: { binary_data_output: true }, inputs: [input], outputs: [] };
}

function readHeadLength(header: string): number {
  if (/^\d+$/.test(header)) return Number(header);
  throw invalid(HEAD_LENGTH_HEADER, `must be the bytes of the JSON, was "${header}"`);
}
