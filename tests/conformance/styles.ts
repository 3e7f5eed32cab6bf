// One inference in each of the four ways that the Open Inference Protocol has: REST with JSON or binary tensors, gRPC
// with typed or raw contents. A case that runs on all of them is written once.
import { inference } from '@genserve/proto/wire';
import { credentials, type ServiceError } from '@grpc/grpc-js';
import type { ServedModels } from '../support/serve.js';
import { fromRaw, toRaw } from './raw-tensors.js';

export interface TensorValue {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

export interface Call {
  readonly model: string;
  readonly version?: string;
  readonly id?: string;
  readonly parameters?: Readonly<Record<string, number | string | boolean>>;
  readonly inputs?: readonly TensorValue[];
  readonly outputs?: readonly string[];
}

export interface Answer {
  readonly model: string;
  readonly version: string;
  readonly id: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly outputs: readonly TensorValue[];
}

/** Status codes of the transport: HTTP's, or gRPC's. */
export interface Failure {
  readonly code: number;
  readonly message: string;
}

export interface Style {
  readonly name: string;
  readonly transport: 'rest' | 'grpc';
  readonly isRaw: boolean;
  infer(call: Call): Promise<Answer | Failure>;
}

export const isFailure = (outcome: Answer | Failure): outcome is Failure => 'code' in outcome;

export function stylesOf(served: ServedModels, client: inference.GRPCInferenceServiceClient): Style[] {
  return [
    { name: 'REST, JSON', transport: 'rest', isRaw: false, infer: call => overRest(served.url, call, false) },
    { name: 'REST, binary', transport: 'rest', isRaw: true, infer: call => overRest(served.url, call, true) },
    { name: 'gRPC, typed', transport: 'grpc', isRaw: false, infer: call => overGrpc(client, call, false) },
    { name: 'gRPC, raw', transport: 'grpc', isRaw: true, infer: call => overGrpc(client, call, true) },
  ];
}

export function connect(served: ServedModels): inference.GRPCInferenceServiceClient {
  return new inference.GRPCInferenceServiceClient(served.grpcAddress, credentials.createInsecure());
}

interface RestTensor {
  name: string;
  datatype: string;
  shape: number[];
  data?: number[];
  parameters?: { binary_data_size: number };
}

export const headLengthHeader = 'Inference-Header-Content-Length';

async function overRest(url: string, call: Call, binary: boolean): Promise<Answer | Failure> {
  const { model, version, id, parameters, inputs = [], outputs } = call;
  const raw = inputs.map(({ datatype, values }) => toRaw(datatype, values));
  const json = Buffer.from(
    JSON.stringify({
      id,
      parameters: { ...parameters, ...(binary && { binary_data_output: true }) },
      inputs: inputs.map(({ values, ...head }, i) =>
        binary ? { ...head, parameters: { binary_data_size: raw[i]?.length } } : { ...head, data: values },
      ),
      outputs: outputs?.map(name => ({ name })),
    }),
  );
  const path = `v2/models/${model}${version === undefined ? '' : `/versions/${version}`}/infer`;
  const response = await fetch(url + path, {
    method: 'POST',
    headers: {
      'content-type': binary ? 'application/octet-stream' : 'application/json',
      ...(binary && { [headLengthHeader]: String(json.length) }),
    },
    body: binary ? Buffer.concat([json, ...raw]) : json,
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  if (!response.ok) return { code: response.status, message: JSON.parse(bytes.toString()).error };
  return readRest(bytes, Number(response.headers.get(headLengthHeader) ?? bytes.length));
}

export function readRest(bytes: Buffer, headLength: number): Answer {
  const answer = JSON.parse(bytes.subarray(0, headLength).toString());
  let offset = headLength;
  const outputs = answer.outputs.map(({ name, datatype, shape, data, parameters }: RestTensor) => {
    const start = offset;
    offset += parameters?.binary_data_size ?? 0;
    return { name, datatype, shape, values: data ?? fromRaw(datatype, bytes.subarray(start, offset)) };
  });
  const { model_name: model, model_version: version, id = '', parameters = {} } = answer;
  return { model, version, id, parameters, outputs };
}

const typedList: Readonly<Record<string, keyof inference.InferTensorContents>> = {
  BOOL: 'boolContents',
  UINT64: 'uint64Contents',
  INT64: 'int64Contents',
  FP32: 'fp32Contents',
  FP64: 'fp64Contents',
};

function typedContents(datatype: string, values: readonly number[]): inference.InferTensorContents {
  const list = typedList[datatype] ?? (datatype.startsWith('U') ? 'uintContents' : 'intContents');
  const items = list === 'boolContents' ? values.map(Boolean) : [...values];
  return inference.InferTensorContents.fromPartial({ [list]: items });
}

async function overGrpc(
  client: inference.GRPCInferenceServiceClient,
  call: Call,
  raw: boolean,
): Promise<Answer | Failure> {
  const inputs = call.inputs ?? [];
  return callGrpc(client, {
    modelName: call.model,
    modelVersion: call.version ?? '',
    id: call.id ?? '',
    parameters: toParameters(call.parameters ?? {}),
    inputs: inputs.map(({ name, datatype, shape, values }) => ({
      name,
      datatype,
      shape: [...shape],
      parameters: {},
      contents: raw ? undefined : typedContents(datatype, values),
    })),
    outputs: (call.outputs ?? []).map(name => ({ name, parameters: {} })),
    rawInputContents: raw ? inputs.map(({ datatype, values }) => toRaw(datatype, values)) : [],
  });
}

export function callGrpc(
  client: inference.GRPCInferenceServiceClient,
  request: inference.ModelInferRequest,
): Promise<Answer | Failure> {
  return new Promise(resolve => {
    client.modelInfer(request, (error: ServiceError | null, response) =>
      resolve(error ? { code: error.code, message: error.details } : readGrpc(response)),
    );
  });
}

function readGrpc(response: inference.ModelInferResponse): Answer {
  const { modelName: model, modelVersion: version, id } = response;
  const outputs = response.outputs.map(({ name, datatype, shape }, i) => ({
    name,
    datatype,
    shape,
    values: fromRaw(datatype, response.rawOutputContents[i] ?? Buffer.alloc(0)),
  }));
  const parameters = Object.entries(response.parameters).map(([name, value]) => [name, value.int64Param]);
  return { model, version, id, parameters: Object.fromEntries(parameters), outputs };
}

function toParameters(parameters: NonNullable<Call['parameters']>): Record<string, inference.InferParameter> {
  const entries = Object.entries(parameters).map(([name, value]) => [
    name,
    inference.InferParameter.fromPartial(
      typeof value === 'number'
        ? { int64Param: value }
        : typeof value === 'string'
          ? { stringParam: value }
          : { boolParam: value },
    ),
  ]);
  return Object.fromEntries(entries);
}
