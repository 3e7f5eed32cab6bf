// inference.GRPCInferenceService: the Open Inference Protocol v2 over gRPC.
import type { inference } from '@genserve/proto/wire';
import { GenserveError, invalid, type Operation, type Tensor, type Tensors } from '@genserve/runtime';
import { checkInput, chooseOutputs, infer, type Parameters } from '../inference/infer.js';
import { findInferenceModel, isInferenceModelReady, metadataOf, serverMetadata } from '../inference/models.js';
import { bytesOf, type Datatype, datatypeOf, tensorFromBytes, tensorFromNumbers } from '../inference/tensors.js';
import type { Readiness } from '../readiness.js';
import type { Services } from '../verbs/verb.js';
import { unary } from './calls.js';

export function inferenceHandlers(
  { repository, limits, runnerFor }: Services,
  readiness: Readiness,
): inference.GRPCInferenceServiceServer {
  return {
    serverLive: unary(async () => ({ live: true })),
    serverReady: unary(async () => ({ ready: readiness.ready })),
    serverMetadata: unary(async () => serverMetadata),
    modelReady: unary(async ({ name, version }) => ({ ready: isInferenceModelReady(repository, name, version) })),
    modelMetadata: unary(async ({ name, version }) => ({ ...metadataOf(repository, name, version), properties: {} })),
    modelInfer: unary(async (request: inference.ModelInferRequest, scope) => {
      const { modelName, modelVersion, id } = request;
      const found = findInferenceModel(repository, modelName, modelVersion);
      const { model, operation } = found;
      const names = chooseOutputs(
        operation,
        request.outputs.map(output => output.name),
      );
      const given = readInputs(request, operation);
      const parameters = parametersOf(request.parameters);
      const outputs = await infer(found, given, parameters, runnerFor(model, scope), limits, scope.signal);
      const chosen = names.map(name => ({ name, tensor: outputOf(outputs, name) }));
      return {
        modelName,
        modelVersion: String(model.version),
        id,
        parameters: {},
        outputs: chosen.map(({ name, tensor }) => ({
          name,
          datatype: datatypeOf(tensor),
          shape: [...tensor.shape],
          parameters: {},
          contents: undefined,
        })),
        rawOutputContents: chosen.map(({ tensor }) => bytesOf(tensor)),
      };
    }),
  };
}

/** All inputs raw, or all as typed contents: the protocol forbids to mix them. */
function readInputs({ inputs, rawInputContents }: inference.ModelInferRequest, operation: Operation): Tensors {
  const raw = rawInputContents.length > 0;
  if (raw && rawInputContents.length !== inputs.length) {
    throw invalid('raw_input_contents', `must be one for each of the ${inputs.length} inputs`);
  }
  const given: Record<string, Tensor> = {};
  inputs.forEach((input, i) => {
    const field = `inputs[${i}]`;
    const datatype = checkInput(operation, input, field);
    if (given[input.name] !== undefined) throw invalid(`${field}.name`, `${input.name} is there twice`);
    if (raw && input.contents !== undefined) throw invalid(`${field}.contents`, 'excludes raw_input_contents');
    const bytes = rawInputContents[i];
    given[input.name] =
      bytes === undefined
        ? tensorFromNumbers(datatype, input.shape, contentsOf(input, datatype), `${field}.contents`)
        : tensorFromBytes(datatype, input.shape, bytes, `raw_input_contents[${i}]`);
  });
  return given;
}

function contentsOf({ contents }: inference.ModelInferRequest_InferInputTensor, datatype: Datatype): number[] {
  return (datatype === 'INT32' ? contents?.intContents : contents?.fp32Contents) ?? [];
}

function parametersOf(parameters: Record<string, inference.InferParameter>): Parameters {
  const entries = Object.entries(parameters).map(([name, choice]) => [
    name,
    choice.int64Param ?? choice.uint64Param ?? choice.doubleParam ?? choice.stringParam ?? choice.boolParam,
  ]);
  return Object.fromEntries(entries);
}

function outputOf(outputs: Tensors, name: string): Tensor {
  const tensor = outputs[name];
  if (tensor === undefined) throw new GenserveError('INTERNAL', `the graph gave no output ${name}`);
  return tensor;
}
