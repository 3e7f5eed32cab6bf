// The process that measures what the machine can do at most: `node ceilings.js THREADS`. Answers 'gemm N' and 'copy N'.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { onnx } from '@genserve/proto/wire';
import * as ort from 'onnxruntime-node';
import { answerRequests } from '../contestant.js';

const SIZE = 2048;
const COPIED_BYTES = 2 ** 28;
const threads = Number(process.argv[2]);

/** C = A B of 2048x2048 matrices: one operator of onnxruntime, its result in memory that is there already. */
async function product(): Promise<() => Promise<unknown>> {
  const matrix = (name: string) => ({
    name,
    type: { tensorType: { elemType: 1, shape: { dim: [{ dimValue: SIZE }, { dimValue: SIZE }] } } },
  });
  const model = onnx.ModelProto.fromPartial({
    irVersion: 8,
    opsetImport: [{ domain: '', version: 17 }],
    graph: {
      name: 'product',
      node: [{ opType: 'Gemm', input: ['a', 'b'], output: ['c'] }],
      input: [matrix('a'), matrix('b')],
      output: [matrix('c')],
    },
  });
  const session = await ort.InferenceSession.create(onnx.ModelProto.encode(model).finish(), {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
  });
  const filled = (seed: number) =>
    new ort.Tensor(
      'float32',
      Float32Array.from({ length: SIZE * SIZE }, (_, i) => Math.sin(i + seed)),
      [SIZE, SIZE],
    );
  const feeds = { a: filled(1), b: filled(2) };
  const fetches = { c: filled(3) };
  return () => session.run(feeds, fetches);
}

/** Workers that each copy their share of COPIED_BYTES at once, as operators on all cores do. */
const copier = `
const { parentPort, workerData } = require('node:worker_threads');
const source = new Float32Array(workerData / 4).fill(1);
const target = new Float32Array(workerData / 4).fill(2);
parentPort.on('message', () => {
  target.set(source);
  parentPort.postMessage('copied');
});
parentPort.postMessage('ready');
`;

async function copiers(): Promise<() => Promise<void>> {
  const workers = Array.from(
    { length: threads },
    () => new Worker(copier, { eval: true, workerData: COPIED_BYTES / threads }),
  );
  await Promise.all(workers.map(worker => once(worker, 'message')));
  for (const worker of workers) worker.unref();
  return async () => {
    const copied = workers.map(worker => once(worker, 'message'));
    for (const worker of workers) worker.postMessage('copy');
    await Promise.all(copied);
  };
}

/** Fewest seconds of `repeats` runs. */
async function best(run: () => Promise<unknown>, repeats: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let repeat = 0; repeat < repeats; repeat++) {
    const start = performance.now();
    await run();
    least = Math.min(least, (performance.now() - start) / 1000);
  }
  return least;
}

const multiply = await product();
const copy = await copiers();
await answerRequests(async (request, argument) => {
  if (request === 'gemm') return { gflops: (2 * SIZE ** 3) / (await best(multiply, argument)) / 1e9 };
  // Read once and written once
  if (request === 'copy') return { gbps: (2 * COPIED_BYTES) / (await best(copy, argument)) / 1e9 };
  throw new Error(`request ${request}; known are gemm and copy`);
});
