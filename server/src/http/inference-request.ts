// Requests of the Open Inference Protocol over HTTP: JSON, and JSON with binary tensors behind it (binary_tensor_data).
import type { IncomingMessage } from 'node:http';
import { HEAD_LENGTH_HEADER, invalid, type Operation, splitBody, type Tensor } from '@genserve/runtime';
import { z } from 'zod';
import { checkInput, type Parameters } from '../inference/infer.js';
import { datatypeOf, tensorFromBytes, tensorFromNumbers } from '../inference/tensors.js';
import { validateJson } from '../verbs/validate.js';
import { parseJson } from './body.js';

const parameters = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional();

/** Clients of other servers send more than the protocol lists: unknown fields are let through. */
const schema = z.looseObject({
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

export interface InferenceBody {
  readonly id: string | undefined;
  readonly parameters: Parameters;
  readonly given: Readonly<Record<string, Tensor>>;
  /** Outputs asked for, and whether as raw bytes; the default for those not named is `binaryByDefault`. */
  readonly outputs: readonly { readonly name: string; readonly binary: boolean }[];
  readonly binaryByDefault: boolean;
}

export function readInference(request: IncomingMessage, bytes: Buffer, operation: Operation): InferenceBody {
  const header = request.headers[HEAD_LENGTH_HEADER.toLowerCase()];
  if (header === '0') return readBareTensor(bytes, operation);
  const { head, payload } =
    header === undefined
      ? { head: parseJson(bytes), payload: Buffer.alloc(0) }
      : splitBody(bytes, readHeadLength(String(header)));
  validateJson(schema, head);
  // Just checked.
  const body = head as z.infer<typeof schema>;
  const binaryByDefault = body.parameters?.binary_data_output === true;
  const outputs = (body.outputs ?? []).map(output => ({
    name: output.name,
    binary: output.parameters?.binary_data === undefined ? binaryByDefault : output.parameters.binary_data === true,
  }));
  const given = readInputs(body.inputs, payload, operation);
  return { id: body.id, parameters: body.parameters ?? {}, given, outputs, binaryByDefault };
}

function readInputs(
  inputs: z.infer<typeof schema>['inputs'],
  payload: Uint8Array,
  operation: Operation,
): Record<string, Tensor> {
  const given: Record<string, Tensor> = {};
  let offset = 0;
  inputs.forEach((input, i) => {
    const field = `inputs[${i}]`;
    const datatype = checkInput(operation, input, field);
    if (given[input.name] !== undefined) throw invalid(`${field}.name`, `${input.name} is there twice`);
    const size = input.parameters?.binary_data_size;
    if (size === undefined) {
      given[input.name] = tensorFromNumbers(datatype, input.shape, input.data, `${field}.data`);
      return;
    }
    const place = `${field}.parameters.binary_data_size`;
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
      throw invalid(place, 'must be a count of bytes');
    if (offset + size > payload.length)
      throw invalid(place, `is ${size}; only ${payload.length - offset} bytes are left`);
    given[input.name] = tensorFromBytes(datatype, input.shape, payload.subarray(offset, offset + size), place);
    offset += size;
  });
  if (offset !== payload.length) {
    throw invalid('body', `${payload.length} bytes follow the JSON where its inputs state ${offset}`);
  }
  return given;
}

/** A body that is nothing but one row of the only input that must be given. */
function readBareTensor(bytes: Buffer, operation: Operation): InferenceBody {
  const needed = operation.inputs.filter(port => port.role !== 'noise' && port.default === undefined);
  const [port] = needed;
  if (port === undefined || needed.length > 1) {
    throw invalid(HEAD_LENGTH_HEADER, `may be 0 for a model with one input; ${operation.name} needs ${needed.length}`);
  }
  const tensor = tensorFromBytes(datatypeOf(port), [1, ...port.shape.slice(1)], bytes, 'body');
  return { id: undefined, parameters: {}, given: { [port.name]: tensor }, outputs: [], binaryByDefault: true };
}

function readHeadLength(header: string): number {
  if (/^\d+$/.test(header)) return Number(header);
  throw invalid(HEAD_LENGTH_HEADER, `must be the bytes of the JSON, was "${header}"`);
}
