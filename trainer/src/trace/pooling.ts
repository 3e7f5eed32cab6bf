// Pooling and its gradients. tfjs leaves padding out of averages and maxima.
import type { GraphBuilder } from '../graph/builder.js';
import type { Value } from '../graph/types.js';
import { convolveBack, geometry, toChannelsFirst, toChannelsLast, type Window, windowOf } from './convolution.js';
import { cast } from './elementwise.js';
import type { KernelCall, KernelGroup } from './kernel.js';
import { pad } from './shape.js';

interface Pool {
  readonly kernel: readonly [number, number];
  readonly output: readonly [number, number];
  readonly window: Window;
}

function poolOf(call: KernelCall, shape: readonly number[]): Pool {
  const sizes = call.numbers('filterSize');
  const kernel = [sizes[0]!, sizes.at(-1)!] as const;
  const channels = shape[3]!;
  const info = geometry(call, shape, [...kernel, channels, channels]);
  return { kernel, output: [info.outHeight, info.outWidth], window: windowOf(info) };
}

const forward = (operator: 'AveragePool' | 'MaxPool') => (call: KernelCall) => {
  const { builder } = call;
  const x = call.input('x');
  const { kernel, window } = poolOf(call, x.shape);
  return toChannelsLast(
    builder,
    builder.emit(operator, [toChannelsFirst(builder, x)], {
      kernel_shape: kernel,
      strides: window.strides,
      pads: window.pads,
      ...(operator === 'AveragePool' && { count_include_pad: 0 }),
    }),
  );
};

/** Spreads [batch, channels * taps, height, width], taps fastest, to where the windows of each tap begin: a fold. */
function fold(builder: GraphBuilder, taps: Value, pool: Pool, input: readonly number[]): Value {
  const [, height, width, channels] = input;
  const [rows, columns] = pool.kernel;
  const count = rows * columns;
  // for each channel and tap a filter with a single 1
  const weights = new Float32Array(channels! * count * count);
  for (let row = 0; row < channels! * count; row++) weights[row * count + (row % count)] = 1;
  const filters = builder.constant(weights, 'float32', [channels! * count, 1, rows, columns]);
  return convolveBack(builder, taps, filters, pool.window, [height!, width!], channels!);
}

/** Each output's gradient, shared by the elements of its window. */
function averageGradient(call: KernelCall): Value {
  const { builder } = call;
  const [dy, input] = [call.input('dy'), call.input('input')];
  const pool = poolOf(call, input.shape);
  const [rows, columns] = pool.kernel;
  const share = builder.emit('Mul', [dy, averageShares(builder, pool, input.shape)]);
  const weights = builder.filled(1, 'float32', [input.shape[3]!, 1, rows, columns]);
  const size = [input.shape[1]!, input.shape[2]!] as const;
  return toChannelsLast(
    builder,
    convolveBack(builder, toChannelsFirst(builder, share), weights, pool.window, size, input.shape[3]!),
  );
}

/** 1 / (elements of the image in the window), [1, outHeight, outWidth, 1]. */
function averageShares(builder: GraphBuilder, { kernel, output, window }: Pool, input: readonly number[]): Value {
  const inside = (axis: 0 | 1, index: number) => {
    const start = index * window.strides[axis] - window.pads[axis];
    return Math.min(start + kernel[axis], input[axis + 1]!) - Math.max(start, 0);
  };
  const shares = Float32Array.from(
    { length: output[0] * output[1] },
    (_, place) => 1 / (inside(0, Math.floor(place / output[1])) * inside(1, place % output[1])),
  );
  return builder.constant(shares, 'float32', [1, output[0], output[1], 1]);
}

/** Each output's gradient goes to the first element of its window that equals it. */
function maximumGradient(call: KernelCall): Value {
  const { builder } = call;
  const [dy, input, output] = [call.input('dy'), call.input('input'), call.input('output')];
  const pool = poolOf(call, input.shape);
  const { strides, pads } = pool.window;
  const padded = pad(
    builder,
    input,
    [
      [0, 0],
      [pads[0], pads[2]],
      [pads[1], pads[3]],
      [0, 0],
    ],
    -3e38,
  );
  let open: Value | undefined;
  const taps: Value[] = [];
  for (let row = 0; row < pool.kernel[0]; row++) {
    for (let column = 0; column < pool.kernel[1]; column++) {
      const seen = builder.emit('Slice', [padded], {
        starts: [row, column],
        ends: [row + strides[0] * (pool.output[0] - 1) + 1, column + strides[1] * (pool.output[1] - 1) + 1],
        axes: [1, 2],
        steps: strides,
      });
      const equal = builder.emit('Equal', [seen, output]);
      const first = open ? builder.emit('And', [equal, open]) : equal;
      const missed = builder.emit('Not', [equal]);
      open = open ? builder.emit('And', [open, missed]) : missed;
      const part = builder.emit('Mul', [dy, cast(builder, first, 'float32')]);
      taps.push(builder.reshape(part, [...part.shape, 1]));
    }
  }
  const joined = builder.emit('Concat', taps, { axis: 4 });
  const wide = builder.reshape(joined, [...dy.shape.slice(0, 3), dy.shape[3]! * taps.length]);
  return toChannelsLast(builder, fold(builder, toChannelsFirst(builder, wide), pool, input.shape));
}

export const pooling: KernelGroup = {
  AvgPool: forward('AveragePool'),
  AvgPoolGrad: averageGradient,
  MaxPool: forward('MaxPool'),
  MaxPoolGrad: maximumGradient,
};
