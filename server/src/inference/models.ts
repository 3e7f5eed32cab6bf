// Operations as models of the Open Inference Protocol: `<bundle>.<operation>`, and the bare name for `sample` (contract, section 7).
import { findOperation, GenserveError, type Operation, type Port } from '@genserve/runtime';
import type { ServedModel } from '../repository/model.js';
import type { Repository } from '../repository/repository.js';
import { type Datatype, datatypeOf } from './tensors.js';

export interface InferenceModel {
  readonly model: ServedModel;
  readonly operation: Operation;
}

export interface TensorMetadata {
  readonly name: string;
  readonly datatype: Datatype;
  /** -1 is the batch. */
  readonly shape: number[];
}

export interface ModelMetadata {
  readonly name: string;
  readonly versions: string[];
  readonly platform: string;
  readonly inputs: TensorMetadata[];
  readonly outputs: TensorMetadata[];
}

export const serverMetadata = { name: 'genserve', version: '0.1.0', extensions: ['binary_tensor_data'] };

/** @throws MODEL_NOT_FOUND (an operation that the bundle lacks is such a model), MODEL_UNAVAILABLE */
export function findInferenceModel(repository: Repository, name: string, version: string): InferenceModel {
  const { bundle, operation } = splitName(name);
  const model = repository.model(bundle, readVersion(version));
  try {
    return { model, operation: findOperation(model.manifest, operation) };
  } catch (cause) {
    const known = model.manifest.operations.map(candidate => `${bundle}.${candidate.name}`).join(', ');
    throw new GenserveError('MODEL_NOT_FOUND', `there is no model ${name}; ${bundle} has ${known}`, { cause });
  }
}

/** @throws MODEL_NOT_FOUND */
export function isInferenceModelReady(repository: Repository, name: string, version: string): boolean {
  return repository.entry(splitName(name).bundle, readVersion(version)).state === 'ready';
}

export function metadataOf(repository: Repository, name: string, version: string): ModelMetadata {
  const { model, operation } = findInferenceModel(repository, name, version);
  return {
    name,
    versions: repository.versions(model.name).map(entry => String(entry.version)),
    platform: 'onnx_onnxv1',
    inputs: operation.inputs.map(describePort),
    outputs: operation.outputs.map(describePort),
  };
}

function describePort(port: Port): TensorMetadata {
  const shape = port.shape.map((length, dimension) => (dimension === 0 && length === 0 ? -1 : length));
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
