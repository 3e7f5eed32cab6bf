// What a `load` carries to an executor process: the graph's verified bytes, since onnxruntime opens no file itself.
import type { Bytes, ExecutorReply, GraphFiles, Message } from '@genserve/runtime';

interface FileTensor {
  readonly dtype: 'uint8';
  readonly shape: readonly number[];
  readonly data: Bytes;
}

export interface Load {
  readonly model: FileTensor;
  readonly externalData: readonly { readonly path: string; readonly data: FileTensor }[];
}

export function toLoad({ model, externalData }: GraphFiles): Load {
  return {
    model: asTensor(model),
    externalData: externalData.map(({ path, data }) => ({ path, data: asTensor(data) })),
  };
}

export function toGraphFiles({ model, externalData }: Load): GraphFiles {
  return { model: model.data, externalData: externalData.map(({ path, data }) => ({ path, data: data.data })) };
}

function asTensor(data: Bytes): FileTensor {
  return { dtype: 'uint8', shape: [data.length], data };
}

/** A reply as JSON with tensors; an interface lacks the index signature that `Message` asks for. */
export function replyMessage({ id, outputs, error, timings }: ExecutorReply): Message {
  return { id, timings: { ...timings }, ...(outputs && { outputs }), ...(error && { error: { ...error } }) };
}
