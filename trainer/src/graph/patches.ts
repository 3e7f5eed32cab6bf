// Convolutions with few outputs, which would leave most of a group of channels empty: a patch of neighbouring places is computed
// at once, as so many more outputs of a larger filter that steps from patch to patch. Two outputs of a 3x3 filter take 36 %
// of the work, one 25 %.
import type { GraphBuilder } from './builder.js';
import { ints } from './infer.js';
import type { Attributes, Value } from './types.js';

export interface Patch {
  readonly height: number;
  readonly width: number;
}

/** Greatest height and width that are tried: beyond, filters grow faster than they are filled. */
const GREATEST = 8;
/** Larger filters take a few steps to make: less than this share of the work must be left. */
const WORTH = 0.75;

/** The patch that leaves least work for a convolution of x with weights [out, in, height, width]; undefined for none. */
export function bestPatch(x: Value, weights: Value, attributes: Attributes, block: number): Patch | undefined {
  const [outputs, inputs, height, width] = weights.shape as [number, number, number, number];
  const plain = ['strides', 'dilations'].every(name => ints(attributes, name).every(each => each === 1));
  if (!plain || inputs < block || height * width === 1) return undefined;
  const [rows, columns] = resultSize(x, weights, attributes);
  let best: Patch | undefined;
  let least = WORTH * rows * columns * height * width;
  for (let high = 1; high <= GREATEST; high++) {
    for (let wide = 1; high * wide * outputs <= block && wide <= GREATEST; wide++) {
      const patches = Math.ceil(rows / high) * Math.ceil(columns / wide);
      const work = patches * (height + high - 1) * (width + wide - 1);
      if (work < least) [best, least] = [{ height: high, width: wide }, work];
    }
  }
  return best;
}

/** Height and width of what a convolution with strides of 1 gives. */
export function resultSize(x: Value, weights: Value, attributes: Attributes): readonly [number, number] {
  const pads = ints(attributes, 'pads');
  const along = (axis: number) => x.shape[axis + 2]! + pads[axis]! + pads[axis + 2]! - weights.shape[axis + 2]! + 1;
  return [along(0), along(1)];
}

/**
 * The weights that compute a patch: the filter at each of its places, with zeros around it. Outputs of one place lie side
 * by side, places row by row. [out, in, height, width] -> [patch * out, in, ...]
 */
export function patchWeights(builder: GraphBuilder, weights: Value, patch: Patch): Value {
  const filter = builder.transpose(weights, [2, 3, 1, 0]);
  const placed: Value[] = [];
  for (let row = 0; row < patch.height; row++) {
    for (let column = 0; column < patch.width; column++) {
      const pads = [row, column, 0, 0, patch.height - 1 - row, patch.width - 1 - column, 0, 0];
      placed.push(builder.emit('Pad', [filter, builder.scalar(0)], { mode: 'constant', pads }));
    }
  }
  return builder.transpose(builder.emit('Concat', placed, { axis: 3 }), [3, 2, 0, 1]);
}

/** Attributes of the convolution of whole patches, of which the last ones may hang over the edge. */
export function patchAttributes(x: Value, weights: Value, attributes: Attributes, patch: Patch): Attributes {
  const [rows, columns] = resultSize(x, weights, attributes);
  const [top, left, bottom, right] = ints(attributes, 'pads') as [number, number, number, number];
  const over = (extent: number, size: number) => Math.ceil(extent / size) * size - extent;
  return {
    ...attributes,
    kernel_shape: [weights.shape[2]! + patch.height - 1, weights.shape[3]! + patch.width - 1],
    strides: [patch.height, patch.width],
    pads: [top, left, bottom + over(rows, patch.height), right + over(columns, patch.width)],
  };
}

/** Patches [batch, rows, columns, patch * channels] side by side: [batch, height, width, channels]. */
export function layPatches(
  builder: GraphBuilder,
  patches: Value,
  patch: Patch,
  [height, width]: readonly [number, number],
): Value {
  const [batch, rows, columns, numbers] = patches.shape as [number, number, number, number];
  const channels = numbers / (patch.height * patch.width);
  const parted = builder.reshape(patches, [batch, rows, columns, patch.height, patch.width * channels]);
  const laid = builder.reshape(builder.transpose(parted, [0, 1, 3, 2, 4]), [
    batch,
    rows * patch.height,
    columns * patch.width,
    channels,
  ]);
  return builder.slice(builder.slice(laid, 1, 0, height), 2, 0, width);
}
