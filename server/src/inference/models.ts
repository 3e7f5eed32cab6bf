// Operations as models of the Open Inference Protocol: `<bundle>.<operation>`, and the bare name for `sample` (contract, section 7).
import { modelConfig } from '@genserve/proto/wire';
import { findOperation, GenserveError, type Operation, type Port } from '@genserve/runtime';
import type { Models } from '../access/restricted-repository.js';
import type { Entry } from '../repository/entries.js';
import type { ServedModel } from '../repository/model.js';
import { isBatchPort } from '../scheduler/batch.js';
import { datatypeOf } from './tensors.js';

export interface InferenceModel {
  readonly model: ServedModel;
  readonly operation: Operation;
}

export interface TensorMetadata {
  readonly name: string;
  readonly datatype: 'FP32' | 'INT32';
  /** -1 is the batch. */
  readonly shape: number[];
}

export interface ModelMetadata {
  readonly name: string;
  readonly versions: string[];
  readonly platform: string;
  readonly inputs: TensorMetadata[];
  readonly outputs: TensorMetadata[];
  /** `optional_inputs` (noise is drawn, others take their defaults) and the `models` that the bundle has, with commas between. */
  readonly properties: Record<string, string>;
}

export const serverMetadata = {
  name: 'genserve',
  version: '0.1.0',
  extensions: ['binary_tensor_data', 'model_repository', 'model_configuration', 'parameters', 'statistics'],
};

/** @throws MODEL_NOT_FOUND (an operation that the bundle lacks is such a model), MODEL_UNAVAILABLE */
export function findInferenceModel(repository: Models, name: string, version: string): InferenceModel {
  const { bundle, operation } = splitName(name);
  const model = repository.model(bundle, readVersion(version));
  try {
    return { model, operation: findOperation(model.manifest, operation) };
  } catch (cause) {
    const known = model.manifest.operations.map(candidate => `${bundle}.${candidate.name}`).join(', ');
    throw new GenserveError('MODEL_NOT_FOUND', `there is no model ${name}; ${bundle} has ${known}`, { cause });
  }
}

/** The bundle's entry, ready or not. @throws MODEL_NOT_FOUND */
export function findEntry(repository: Models, name: string, version: string): Entry {
  return repository.entry(splitName(name).bundle, readVersion(version));
}

export function metadataOf(repository: Models, name: string, version: string): ModelMetadata {
  const { model, operation } = findInferenceModel(repository, name, version);
  return {
    name,
    versions: repository.versions(model.name).map(entry => String(entry.version)),
    platform: 'onnx_onnxv1',
    inputs: operation.inputs.map(describePort),
    outputs: operation.outputs.map(describePort),
    properties: {
      family: model.manifest.family?.name ?? '',
      optional_inputs: operation.inputs
        .filter(isOptional)
        .map(port => port.name)
        .join(),
      models: model.manifest.operations.map(candidate => `${model.name}.${candidate.name}`).join(),
    },
  };
}

/** What Triton's tools ask for. Where `maxBatchSize` is above 0, shapes are told without the batch. */
export function configurationOf(
  repository: Models,
  name: string,
  version: string,
  maxCount: number,
): modelConfig.ModelConfig {
  const { operation } = findInferenceModel(repository, name, version);
  const batches = [...operation.inputs, ...operation.outputs].every(isBatchPort);
  const describe = (port: Port) => ({
    name: port.name,
    dataType: datatypeOf(port) === 'FP32' ? modelConfig.DataType.TYPE_FP32 : modelConfig.DataType.TYPE_INT32,
    dims: describePort(port).shape.slice(batches ? 1 : 0),
  });
  return {
    name,
    platform: 'onnxruntime_onnx',
    backend: 'onnxruntime',
    maxBatchSize: batches ? maxCount : 0,
    input: operation.inputs.map(port => ({ ...describe(port), optional: isOptional(port) })),
    output: operation.outputs.map(describe),
  };
}

/** An input that need not be given. */
export function isOptional({ role, default: value }: Port): boolean {
  return role === 'noise' || value !== undefined;
}

function describePort(port: Port): TensorMetadata {
  const shape = isBatchPort(port) ? [-1, ...port.shape.slice(1)] : [...port.shape];
  return { name: port.name, datatype: datatypeOf(port), shape };
}

/** Names of bundles hold no dot. */
function splitName(name: string): { bundle: string; operation: string } {
  const dot = name.indexOf('.');
  return dot < 0
    ? { bundle: name, operation: 'sample' }
    : { bundle: name.slice(0, dot), operation: name.slice(dot + 1) };
}

function readVersion(version: string): number {
  if (version === '') return 0;
  const number = Number(version);
  if (Number.isSafeInteger(number) && number > 0) return number;
  throw new GenserveError('MODEL_NOT_FOUND', `version: there is no version ${version}; versions are 1, 2, ...`, {
    field: 'version',
  });
}
