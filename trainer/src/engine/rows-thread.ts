// A thread that runs a program on its part of each batch. Variables come through memory that all threads share.
import { parentPort, workerData } from 'node:worker_threads';
import type { Tensors } from '@genserve/runtime';
import * as ort from 'onnxruntime-node';
import type { RowsReply, RowsThreadData } from './row-parts.js';
import { fromOrt, toOrt } from './session.js';

const { model, options, variables, shared } = workerData as RowsThreadData; // what row-parts.ts starts it with
const port = parentPort!; // started as a thread alone
const session = ort.InferenceSession.create(model, options);
// onnxruntime takes no shared memory
const values = variables.map(({ length }) => new Float32Array(length));

port.on('message', async (feeds: Tensors) => {
  const reply = await answer(feeds);
  port.postMessage(reply, 'outputs' in reply ? Object.values(reply.outputs).map(({ data }) => data.buffer) : []);
});

async function answer(feeds: Tensors): Promise<RowsReply> {
  try {
    const inputs: Record<string, ort.Tensor> = {};
    for (const [name, feed] of Object.entries(feeds)) inputs[name] = toOrt(feed);
    for (const [index, { input, shape, offset, length }] of variables.entries()) {
      const own = values[index]!;
      own.set(shared.subarray(offset, offset + length));
      inputs[input] = new ort.Tensor('float32', own, shape);
    }
    const results = await (await session).run(inputs);
    return {
      outputs: Object.fromEntries(Object.entries(results).map(([name, result]) => [name, fromOrt(name, result)])),
    };
  } catch (error) {
    return { failure: String(error) };
  }
}
