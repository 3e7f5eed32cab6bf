// Operators of this representation that ONNX does not have, spelled out in ONNX's own once the layout is settled.
import type { GraphBuilder } from './builder.js';
import { integer, ints } from './infer.js';
import type { Rule } from './rewrite.js';
import type { Attributes, Value } from './types.js';

/**
 * Gradient of a convolution for its filter: (x [batch, in, height, width], dy [batch, out, ...]) -> [height, width, in, out].
 * Attributes kernel_shape, strides, dilations and pads are the convolution's.
 */
export const FILTER_GRADIENT = 'FilterGradient';

/** The rule of this pass. */
export const lowerOperators: Rule = (builder, node, inputs) => {
  const [x, dy] = inputs;
  if (node.operator === FILTER_GRADIENT) return x && dy && [filterGradient(builder, x, dy, node.attributes)];
  if (node.operator === 'ReorderOutput' && x && x.type !== 'float32') return [reorder(builder, x, node.attributes)];
  return undefined;
};

/** Out of the blocked layout, in whole groups of channels: onnxruntime's own operator takes float32 only. */
function reorder(builder: GraphBuilder, blocked: Value, attributes: Attributes): Value {
  const [batch, channels, height, width] = blocked.shape as [number, number, number, number];
  const block = integer(attributes, 'block');
  const groups = builder.reshape(blocked, [batch, channels / block, height, width, block]);
  return builder.reshape(builder.transpose(groups, [0, 2, 3, 1, 4]), [batch, height, width, channels]);
}

/**
 * The reduction over all places of all images is split, or a product with so small a result would run on one thread: each
 * part is one matrix of a batch.
 */
const PARTS = [4, 2, 1];
/** Below this many input channels the taps are joined to one matrix: its products would be too thin alone. */
const THIN_CHANNELS = 8;

/**
 * Products of [out, rows] and [rows, in], rows being all places of all images, for each tap of the filter. The gradient is
 * transposed once for all of them: onnxruntime's product of a matrix that it has to transpose takes twice as long.
 */
function filterGradient(builder: GraphBuilder, x: Value, dy: Value, attributes: Attributes): Value {
  const [height, width] = ints(attributes, 'kernel_shape');
  const [batch, channels] = x.shape;
  const [, outputs, outHeight, outWidth] = dy.shape;
  const parts = PARTS.find(count => batch! % count === 0)!;
  const rows = (batch! / parts) * outHeight! * outWidth!;
  // of rank 4: onnxruntime would move a transpose of the last two axes back into the product
  const last = builder.reshape(builder.transpose(dy, [0, 2, 3, 1]), [parts, rows / outWidth!, outWidth!, outputs!]);
  const gradients = builder.reshape(builder.transpose(last, [0, 3, 1, 2]), [parts, outputs!, rows]);
  const product = (seen: Value) =>
    builder.emit('MatMul', [gradients, builder.reshape(seen, [parts, rows, seen.shape[3]!])]);
  const taps = windows(builder, x, [outHeight!, outWidth!], attributes);
  const products =
    channels! < THIN_CHANNELS
      ? product(builder.emit('Concat', taps, { axis: 3 }))
      : builder.emit('Concat', taps.map(product), { axis: 2 });
  // [out, height * width * in]
  const sum = builder.emit('ReduceSum', [products], { axes: [0], keepdims: 0 });
  return builder.reshape(builder.transpose(sum, [1, 0]), [height!, width!, channels!, outputs!]);
}

/** What each tap of the filter sees, [batch, outHeight, outWidth, in], row by row of the filter. */
function windows(
  builder: GraphBuilder,
  x: Value,
  [outHeight, outWidth]: readonly [number, number],
  attributes: Attributes,
): Value[] {
  const [height, width] = ints(attributes, 'kernel_shape');
  const [strides, dilations] = [ints(attributes, 'strides'), ints(attributes, 'dilations')];
  const [top, left, bottom, right] = ints(attributes, 'pads');
  const padded = builder.emit('Pad', [builder.transpose(x, [0, 2, 3, 1]), builder.scalar(0)], {
    mode: 'constant',
    pads: [0, top!, left!, 0, 0, bottom!, right!, 0],
  });
  const taps: Value[] = [];
  for (let row = 0; row < height!; row++) {
    for (let column = 0; column < width!; column++) {
      const [y, x0] = [row * dilations[0]!, column * dilations[1]!];
      taps.push(
        builder.emit('Slice', [padded], {
          starts: [y, x0],
          ends: [y + strides[0]! * (outHeight - 1) + 1, x0 + strides[1]! * (outWidth - 1) + 1],
          axes: [1, 2],
          steps: strides,
        }),
      );
    }
  }
  return taps;
}
