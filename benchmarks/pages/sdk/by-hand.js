// onnxruntime-web called by hand in a worker: the first message holds the graph, each other one the inputs of a run.
import * as ort from 'onnxruntime-web/wasm';

let session;

addEventListener('message', async ({ data: { graph, feeds } }) => {
  if (graph) {
    session = await ort.InferenceSession.create(graph.model, { executionProviders: ['wasm'], ...graph });
    postMessage({});
    return;
  }
  const inputs = feeds.map(([name, data, dims]) => [name, new ort.Tensor('float32', data, dims)]);
  const [{ data }] = Object.values(await session.run(Object.fromEntries(inputs)));
  postMessage(data, [data.buffer]);
});
