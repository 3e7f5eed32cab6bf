// How many channels onnxruntime's blocked layout puts in a group on this processor: 16 with AVX-512, 8 with AVX2. It tells
// nobody, so a small convolution with each is compared with the ordinary one.
import * as ort from 'onnxruntime-node';
import { blockImages } from '../graph/blocked.js';
import { GraphBuilder } from '../graph/builder.js';
import { rewrite } from '../graph/rewrite.js';
import { writeModel } from '../graph/write.js';

const CANDIDATES = [16, 8];
const CHANNELS = 32;
const SIDE = 4;

let found: Promise<number | undefined> | undefined;

/** The size, found once in a process; undefined where onnxruntime has no such kernels. */
export function blockSize(): Promise<number | undefined> {
  found ??= search();
  return found;
}

async function search(): Promise<number | undefined> {
  const expected = await run(undefined);
  for (const block of CANDIDATES) {
    // onnxruntime refuses the operators on processors that it has no such kernels for
    const result = await run(block).catch(() => undefined);
    if (result?.every((number, index) => Math.abs(number - expected[index]!) < 1e-3)) return block;
  }
  return undefined;
}

/** A convolution of fixed numbers, in blocks or not. */
async function run(block: number | undefined): Promise<Float32Array> {
  const builder = new GraphBuilder();
  const x = builder.input('x', 'float32', [1, CHANNELS, SIDE, SIDE]);
  const weights = builder.input('weights', 'float32', [CHANNELS, CHANNELS, 3, 3]);
  const y = builder.emit('Conv', [x, weights], {
    kernel_shape: [3, 3],
    strides: [1, 1],
    dilations: [1, 1],
    pads: [1, 1, 1, 1],
    group: 1,
  });
  const plain = builder.graph('probe', [{ name: 'y', value: y }]);
  const graph = block === undefined ? plain : rewrite(plain, blockImages(plain, block));
  const session = await ort.InferenceSession.create(writeModel(graph), { intraOpNumThreads: 1, logSeverityLevel: 4 });
  const feeds = Object.fromEntries(
    graph.inputs.map(({ name, shape }) => {
      const length = shape.reduce((product, extent) => product * extent, 1);
      return [
        name,
        new ort.Tensor(
          'float32',
          Float32Array.from({ length }, (_, i) => Math.sin(i * i)),
          shape,
        ),
      ];
    }),
  );
  const { y: output } = await session.run(feeds);
  await session.release();
  // the graph's output is float32
  return output!.data as Float32Array;
}
