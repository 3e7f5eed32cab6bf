// Convolutions and their gradients. tfjs is [batch, height, width, channels] with filters [height, width, in, out]; ONNX is
// [batch, channels, height, width] with [out, in, height, width]. Transposes are emitted freely here: graph/layout.ts removes them.
import type { GraphBuilder } from '../graph/builder.js';
import { FILTER_GRADIENT } from '../graph/lower.js';
import type { Value } from '../graph/types.js';
import type { KernelCall, KernelGroup } from './kernel.js';
import { pad, reverse } from './shape.js';
import { tf } from './tensorflow.js';

type ConvolutionInfo = ReturnType<typeof tf.backend_util.computeConv2DInfo>;
type Shape4 = [number, number, number, number];

/** To ONNX's layout and back. */
export const toChannelsFirst = (builder: GraphBuilder, value: Value) => builder.transpose(value, [0, 3, 1, 2]);
export const toChannelsLast = (builder: GraphBuilder, value: Value) => builder.transpose(value, [0, 2, 3, 1]);
/** [height, width, in, out] -> [out, in, height, width] */
const filterFirst = (builder: GraphBuilder, filter: Value) => builder.transpose(filter, [3, 2, 0, 1]);

/** Sizes and paddings as tfjs computes them. */
export function geometry(
  call: KernelCall,
  input: readonly number[],
  filter: readonly number[],
  depthwise = false,
): ConvolutionInfo {
  const { strides, pad, dimRoundingMode, dilations } = call.attributes;
  const format = call.attributes.dataFormat ?? 'NHWC';
  if (format !== 'NHWC') throw call.unsupported(`dataFormat '${String(format)}'`);
  return tf.backend_util.computeConv2DInfo(
    shape4(call, input),
    shape4(call, filter),
    // tfjs has checked its own attributes before it calls a kernel
    strides as number | [number, number],
    (dilations ?? 1) as number | [number, number],
    pad as 'valid' | 'same' | number,
    dimRoundingMode as 'floor' | 'round' | 'ceil' | undefined,
    depthwise,
  );
}

function shape4(call: KernelCall, shape: readonly number[]): Shape4 {
  const [a, b, c, d] = shape;
  if (shape.length !== 4) throw call.wrong(`should have shapes of rank 4, not [${shape}]`);
  // four, as just seen
  return [a!, b!, c!, d!];
}

export interface Window {
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  /** top, left, bottom, right */
  readonly pads: readonly [number, number, number, number];
}

export const windowOf = (info: ConvolutionInfo): Window => ({
  strides: [info.strideHeight, info.strideWidth],
  dilations: [info.dilationHeight, info.dilationWidth],
  pads: [info.padInfo.top, info.padInfo.left, info.padInfo.bottom, info.padInfo.right],
});

/** All in ONNX's layout. */
function convolve(builder: GraphBuilder, x: Value, weights: Value, window: Window, group = 1): Value {
  const { strides, dilations, pads } = window;
  const kernel_shape = weights.shape.slice(2);
  return builder.emit('Conv', [x, weights], { kernel_shape, strides, dilations, pads, group });
}

/** The gradient of `convolve` for its input of the given height and width; also the forward pass of a transposed convolution. */
export function convolveBack(
  builder: GraphBuilder,
  dy: Value,
  weights: Value,
  window: Window,
  size: readonly [number, number],
  group = 1,
): Value {
  const { strides, dilations, pads } = window;
  const kernel_shape = weights.shape.slice(2);
  const reach = [0, 1].map(axis => dilations[axis]! * (kernel_shape[axis]! - 1) + 1);
  if (strides.every(stride => stride === 1) && group === 1) {
    // a convolution with the filter turned by 180 degrees and its channels swapped
    const turned = reverse(builder, builder.transpose(weights, [1, 0, 2, 3]), [2, 3]);
    const [top, left] = [reach[0]! - 1 - pads[0], reach[1]! - 1 - pads[1]];
    const bottom = size[0] + reach[0]! - 1 - dy.shape[2]! - top;
    const right = size[1] + reach[1]! - 1 - dy.shape[3]! - left;
    if (Math.min(top, left, bottom, right) >= 0) {
      return convolve(builder, dy, turned, { strides, dilations, pads: [top, left, bottom, right] });
    }
  }
  const output_padding = [0, 1].map(
    axis => size[axis]! - (strides[axis]! * (dy.shape[axis + 2]! - 1) + reach[axis]! - pads[axis]! - pads[axis + 2]!),
  );
  return builder.emit('ConvTranspose', [dy, weights], {
    kernel_shape,
    strides,
    dilations,
    pads,
    output_padding,
    group,
  });
}

function filterGradient(call: KernelCall): Value {
  const { builder } = call;
  const [x, dy] = [call.input('x'), call.input('dy')];
  const filterShape = shape4(call, call.numbers('filterShape'));
  const { strides, dilations, pads } = windowOf(geometry(call, x.shape, filterShape));
  // lowered after the layout pass, which must not take its inner steps apart
  return builder.emit(FILTER_GRADIENT, [toChannelsFirst(builder, x), toChannelsFirst(builder, dy)], {
    kernel_shape: filterShape.slice(0, 2),
    strides,
    dilations,
    pads,
  });
}

/** What each tap of the filter sees, [batch, outHeight, outWidth, channels], row by row of the filter. */
function windows(builder: GraphBuilder, x: Value, info: ConvolutionInfo): Value[] {
  const { top, bottom, left, right } = info.padInfo;
  const padded = pad(builder, x, [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ]);
  const taps: Value[] = [];
  for (let row = 0; row < info.filterHeight; row++) {
    for (let column = 0; column < info.filterWidth; column++) {
      const [y, x0] = [row * info.dilationHeight, column * info.dilationWidth];
      taps.push(
        builder.emit('Slice', [padded], {
          starts: [y, x0],
          ends: [y + info.strideHeight * (info.outHeight - 1) + 1, x0 + info.strideWidth * (info.outWidth - 1) + 1],
          axes: [1, 2],
          steps: [info.strideHeight, info.strideWidth],
        }),
      );
    }
  }
  return taps;
}

/** [height, width, channels, multiplier] -> [channels * multiplier, 1, height, width] */
function depthwiseFilter(builder: GraphBuilder, filter: Value): Value {
  const [height, width, channels, multiplier] = filter.shape;
  return builder.reshape(builder.transpose(filter, [2, 3, 0, 1]), [channels! * multiplier!, 1, height!, width!]);
}

function depthwiseFilterGradient(call: KernelCall): Value {
  const { builder } = call;
  const [x, dy] = [call.input('x'), call.input('dy')];
  const filterShape = shape4(call, call.numbers('filterShape'));
  const info = geometry(call, x.shape, filterShape, true);
  const [height, width, channels, multiplier] = filterShape;
  const gradients = builder.reshape(dy, [...dy.shape.slice(0, 3), channels, multiplier]);
  const taps = windows(builder, x, info).map(window => {
    const wide = builder.reshape(window, [...window.shape, 1]);
    const product = builder.emit('Mul', [wide, gradients]);
    const sum = builder.emit('ReduceSum', [product], { axes: [0, 1, 2], keepdims: 0 });
    return builder.reshape(sum, [1, channels, multiplier]);
  });
  return builder.reshape(builder.emit('Concat', taps, { axis: 0 }), [height, width, channels, multiplier]);
}

export const convolution: KernelGroup = {
  Conv2D: call => {
    const { builder } = call;
    const [x, filter] = [call.input('x'), call.input('filter')];
    const window = windowOf(geometry(call, x.shape, filter.shape));
    return toChannelsLast(
      builder,
      convolve(builder, toChannelsFirst(builder, x), filterFirst(builder, filter), window),
    );
  },
  Conv2DBackpropFilter: filterGradient,
  Conv2DBackpropInput: call => {
    const { builder } = call;
    const [dy, filter] = [call.input('dy'), call.input('filter')];
    const inputShape = call.numbers('inputShape');
    const window = windowOf(geometry(call, inputShape, filter.shape));
    const size = [inputShape[1]!, inputShape[2]!] as const;
    return toChannelsLast(
      builder,
      convolveBack(builder, toChannelsFirst(builder, dy), filterFirst(builder, filter), window, size),
    );
  },
  DepthwiseConv2dNative: call => {
    const { builder } = call;
    const [x, filter] = [call.input('x'), call.input('filter')];
    const window = windowOf(geometry(call, x.shape, filter.shape, true));
    const weights = depthwiseFilter(builder, filter);
    return toChannelsLast(builder, convolve(builder, toChannelsFirst(builder, x), weights, window, x.shape[3]!));
  },
  DepthwiseConv2dNativeBackpropFilter: depthwiseFilterGradient,
  DepthwiseConv2dNativeBackpropInput: call => {
    const { builder } = call;
    const [dy, filter] = [call.input('dy'), call.input('filter')];
    const inputShape = call.numbers('inputShape');
    const window = windowOf(geometry(call, inputShape, filter.shape, true));
    const size = [inputShape[1]!, inputShape[2]!] as const;
    const weights = depthwiseFilter(builder, filter);
    return toChannelsLast(
      builder,
      convolveBack(builder, toChannelsFirst(builder, dy), weights, window, size, inputShape[3]!),
    );
  },
};
