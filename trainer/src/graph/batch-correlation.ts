// The gradient of a convolution for its filter, as a convolution itself: of x, whose images are taken as channels, with dy,
// whose places are then the taps of the filter. In onnxruntime's blocked layout it needs none of the slices, one for each
// tap of the filter, that a product of matrices needs, and its long sums run at the processor's full speed.
import { type BlockedImage, fromBlocked, readBlocked } from './blocked-image.js';
import type { GraphBuilder } from './builder.js';
import { ints } from './infer.js';
import type { Attributes, Value } from './types.js';

type Sides = readonly [top: number, left: number, bottom: number, right: number];

/**
 * x [batch, in, height, width] and dy [batch, out, ...], attributes as in lower.ts -> [height, width, in, out]; undefined
 * for what the general way does better.
 */
export function blockedFilterGradient(
  builder: GraphBuilder,
  x: Value,
  dy: Value,
  attributes: Attributes,
  block: number,
): Value | undefined {
  const kernel = ints(attributes, 'kernel_shape');
  if (x.shape[0]! % block !== 0) return undefined;
  const [seen, gradient] = [readBlocked(builder, x, block), readBlocked(builder, dy, block)];
  if (kernel.every(extent => extent === 1)) return pointwise(builder, seen, gradient, attributes);
  const strides = ints(attributes, 'strides');
  const dilations = ints(attributes, 'dilations');
  const [top, left] = ints(attributes, 'pads');
  const whole = (channels: number) => Math.ceil(channels / block) * block;
  // what is taken as the filter fills groups of channels, so the thinner of the two had better be the image
  const swapped = dy.shape[1]! * whole(x.shape[1]!) < x.shape[1]! * whole(dy.shape[1]!);
  if (swapped && strides.every(stride => stride === 1)) {
    const [first, second] = [0, 1].map(axis => dilations[axis]! * (kernel[axis]! - 1) - [top!, left!][axis]!);
    const around = sides(dy, x, [first!, second!], kernel, [1, 1], dilations);
    const turned = correlate(builder, gradient, seen, around, { strides: dilations, dilations: [1, 1] });
    // [out, height, width, in], seen from the other side
    const reversed = builder.emit('Slice', [turned], {
      starts: [-1, -1],
      ends: [-kernel[0]! - 1, -kernel[1]! - 1],
      axes: [1, 2],
      steps: [-1, -1],
    });
    return builder.transpose(reversed, [1, 2, 3, 0]);
  }
  const around = sides(x, dy, [top!, left!], kernel, strides, dilations);
  const result = correlate(builder, seen, gradient, around, { strides: dilations, dilations: strides });
  return builder.transpose(result, [1, 2, 0, 3]);
}

/** Padding that leaves exactly the taps of the filter as places; negative where the image has rows that no tap sees. */
function sides(
  image: Value,
  filter: Value,
  [top, left]: readonly [number, number],
  kernel: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
): Sides {
  const missing = [0, 1].map(axis => {
    const reach = strides[axis]! * (filter.shape[axis + 2]! - 1) + dilations[axis]! * (kernel[axis]! - 1) + 1;
    return reach - image.shape[axis + 2]!;
  });
  return [top, left, missing[0]! - top, missing[1]! - left];
}

/** [batch, a, ...] and [batch, b, height, width] -> [a, places, places, b], sums over the batch and the filter's places. */
function correlate(
  builder: GraphBuilder,
  image: BlockedImage,
  filter: BlockedImage,
  around: Sides,
  steps: { readonly strides: readonly number[]; readonly dilations: readonly number[] },
): Value {
  const weights = asFilter(builder, filter);
  const result = builder.emit('BlockedConv', [asImage(builder, image, around), weights], {
    kernel_shape: weights.shape.slice(2),
    ...steps,
    pads: [0, 0, 0, 0],
    group: 1,
  });
  return fromBlocked(builder, result, filter.channels, filter.block);
}

/** Images become channels and channels images: [channels, batch, height, width] in blocked layout. */
function asImage(builder: GraphBuilder, { groups, block }: BlockedImage, [top, left, bottom, right]: Sides): Value {
  const padded = builder.emit('Pad', [groups, builder.scalar(0)], {
    mode: 'constant',
    pads: [0, 0, top, left, 0, 0, 0, bottom, right, 0],
  });
  const [batch, count, height, width, channels] = padded.shape as [number, number, number, number, number];
  // numbers change places within groups first, then whole groups do: in one step onnxruntime would move numbers one by one
  const matrix = builder.reshape(padded, [1, batch, count * height * width * channels, 1]);
  const grouped = builder.emit('ReorderInput', [matrix], { channels_last: 0, block });
  const places = builder.reshape(grouped, [batch / block, count, height * width, channels, block]);
  return builder.reshape(builder.transpose(places, [1, 3, 0, 2, 4]), [count * channels, batch, height, width]);
}

/** [channels, batch, height, width] as the weights of a blocked convolution, with zeros for what fills the last group. */
function asFilter(builder: GraphBuilder, { groups, channels, block }: BlockedImage): Value {
  const [batch, count, height, width, each] = groups.shape as [number, number, number, number, number];
  const missing = count > 1 ? 0 : Math.ceil(channels / block) * block - each;
  const filled = builder.emit('Pad', [groups, builder.scalar(0)], {
    mode: 'constant',
    pads: [0, 0, 0, 0, 0, 0, 0, 0, 0, missing],
  });
  const inside = filled.shape[4]!;
  const total = count * inside;
  const parted = builder.reshape(filled, [batch / block, block, count, height * width, inside / block, block]);
  return builder.reshape(builder.transpose(parted, [2, 4, 0, 3, 1, 5]), [total, batch, height, width]);
}

/** A filter of one tap sees every place by itself: products of [in, places] and [places, out], added up over the batch. */
function pointwise(
  builder: GraphBuilder,
  x: BlockedImage,
  dy: BlockedImage,
  attributes: Attributes,
): Value | undefined {
  const [batch, inputGroups, height, width, inside] = x.groups.shape as [number, number, number, number, number];
  const [, outputGroups, , , outside] = dy.groups.shape as [number, number, number, number, number];
  if (!x.whole || !dy.whole || [...ints(attributes, 'strides')].some(stride => stride !== 1)) return undefined;
  if (ints(attributes, 'pads').some(pad => pad !== 0)) return undefined;
  const places = height * width;
  const products = builder.emit(
    'FusedMatMul',
    [
      builder.reshape(x.groups, [batch, inputGroups, 1, places, inside]),
      builder.reshape(dy.groups, [batch, 1, outputGroups, places, outside]),
    ],
    { transA: 1, transB: 0, alpha: 1 },
  );
  const sum = builder.emit('ReduceSum', [products], { axes: [0], keepdims: 0 });
  const filter = builder.transpose(sum, [0, 2, 1, 3]);
  return builder.reshape(filter, [1, 1, inputGroups * inside, outputGroups * outside]);
}
