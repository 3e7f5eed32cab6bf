// Resizing of images as products with interpolation matrices, along height and then width: their gradients are products
// with the transposed matrices, and have gradients in turn.
import type { GraphBuilder } from '../graph/builder.js';
import type { Value } from '../graph/types.js';
import type { KernelCall, KernelGroup } from './kernel.js';

interface Sampling {
  readonly alignCorners: boolean;
  readonly halfPixelCenters: boolean;
}

type Method = 'bilinear' | 'nearest';

/** Row-major weights [to, from]: what each new pixel takes from each old one, as tfjs computes it. */
function weights(from: number, to: number, method: Method, { alignCorners, halfPixelCenters }: Sampling): Float32Array {
  const matrix = new Float32Array(to * from);
  const inner = alignCorners && to > 1;
  const ratio = inner ? (from - 1) / (to - 1) : from / to;
  for (let row = 0; row < to; row++) {
    if (method === 'nearest') {
      const place = ratio * (halfPixelCenters ? row + 0.5 : row);
      const nearest = alignCorners ? Math.round(place) : Math.floor(place);
      matrix[row * from + Math.min(from - 1, Math.max(0, nearest))] = 1;
      continue;
    }
    const place = halfPixelCenters ? ratio * (row + 0.5) - 0.5 : ratio * row;
    const low = Math.max(0, Math.floor(place));
    const high = Math.min(from - 1, Math.ceil(place));
    const share = place - low;
    // at the border both are one pixel, and the shares add up to 1
    matrix[row * from + low]! += 1 - share;
    matrix[row * from + Math.max(0, high)]! += share;
  }
  return matrix;
}

/** [batch, height, width, channels] with height and width multiplied by [newHeight, height] and [newWidth, width]. */
function multiply(builder: GraphBuilder, image: Value, rows: Value, columns: Value): Value {
  const [batch, height, width, channels] = image.shape;
  const [newHeight, newWidth] = [rows.shape[0]!, columns.shape[0]!];
  const tall = builder.emit('MatMul', [rows, builder.reshape(image, [batch!, height!, width! * channels!])]);
  const wide = builder.emit('MatMul', [columns, builder.reshape(tall, [batch! * newHeight, width!, channels!])]);
  return builder.reshape(wide, [batch!, newHeight, newWidth, channels!]);
}

function sampling(call: KernelCall): Sampling {
  return { alignCorners: call.flag('alignCorners'), halfPixelCenters: call.flag('halfPixelCenters') };
}

function matrices(call: KernelCall, from: readonly number[], to: readonly number[], method: Method): [Value, Value] {
  const matrix = (axis: number) =>
    call.builder.constant(weights(from[axis]!, to[axis]!, method, sampling(call)), 'float32', [to[axis]!, from[axis]!]);
  return [matrix(0), matrix(1)];
}

const forward = (method: Method) => (call: KernelCall) => {
  const images = call.input('images');
  const [rows, columns] = matrices(call, images.shape.slice(1, 3), call.numbers('size'), method);
  return multiply(call.builder, images, rows, columns);
};

const backward = (method: Method) => (call: KernelCall) => {
  const { builder } = call;
  const [images, dy] = [call.input('images'), call.input('dy')];
  const [rows, columns] = matrices(call, images.shape.slice(1, 3), dy.shape.slice(1, 3), method);
  return multiply(builder, dy, builder.transpose(rows, [1, 0]), builder.transpose(columns, [1, 0]));
};

export const resize: KernelGroup = {
  ResizeBilinear: forward('bilinear'),
  ResizeBilinearGrad: backward('bilinear'),
  ResizeNearestNeighbor: forward('nearest'),
  ResizeNearestNeighborGrad: backward('nearest'),
};
