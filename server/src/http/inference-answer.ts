// Answers of the Open Inference Protocol over HTTP: JSON, with the outputs that are wanted raw behind it in their order.
import { HEAD_LENGTH_HEADER, utf8 } from '@genserve/runtime';
import type { InferenceAnswer, InferenceRequest } from '../inference/infer.js';
import { bytesOf, datatypeOf, numbersOf } from '../inference/tensors.js';
import { media } from './answer.js';
import type { Answer } from './scope.js';
import { sendBytes, sendJson } from './send.js';

export function sendInference(response: Answer, answer: InferenceAnswer, request: InferenceRequest): void {
  const raw: Buffer[] = [];
  const outputs = answer.outputs.map(({ name, tensor }) => {
    const head = { name, datatype: datatypeOf(tensor), shape: tensor.shape };
    if (!isBinary(name, request)) return { ...head, data: numbersOf(tensor) };
    raw.push(bytesOf(tensor));
    return { ...head, parameters: { binary_data_size: tensor.data.byteLength } };
  });
  const json = {
    model_name: answer.model,
    model_version: answer.version,
    ...(answer.id !== undefined && { id: answer.id }),
    parameters: answer.parameters,
    outputs,
  };
  if (raw.length === 0) {
    sendJson(response, json);
    return;
  }
  const head = utf8(JSON.stringify(json));
  response.setHeader(HEAD_LENGTH_HEADER, head.length);
  sendBytes(response, media.body, [head, ...raw]);
}

/** An output's own `binary_data` wins over the request's `binary_data_output`. */
function isBinary(name: string, { outputs, parameters }: InferenceRequest): boolean {
  const own = outputs.find(output => output.name === name)?.parameters.binary_data;
  return (own ?? parameters.binary_data_output) === true;
}
