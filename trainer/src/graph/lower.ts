// Operators of this representation that ONNX does not have, spelled out in ONNX's own once the layout is settled.
import type { GraphBuilder } from './builder.js';
import { ints } from './infer.js';
import type { Rule } from './rewrite.js';
import type { Attributes, Value } from './types.js';

/**
 * Gradient of a convolution for its filter: (x [batch, in, height, width], dy [batch, out, ...]) -> [height, width, in, out].
 * Attributes kernel_shape, strides, dilations and pads are the convolution's.
 */
export const FILTER_GRADIENT = 'FilterGradient';

/** The rule of this pass. */
export const lowerGradients: Rule = (builder, node, inputs) => {
  if (node.operator !== FILTER_GRADIENT) return undefined;
  const [x, dy] = inputs;
  return x && dy && [filterGradient(builder, x, dy, node.attributes)];
};

/** A product of [rows, in]^T and [rows, out] for each tap of the filter, rows being all places of all images. */
function filterGradient(builder: GraphBuilder, x: Value, dy: Value, attributes: Attributes): Value {
  const [height, width] = ints(attributes, 'kernel_shape');
  const [strides, dilations] = [ints(attributes, 'strides'), ints(attributes, 'dilations')];
  const [top, left, bottom, right] = ints(attributes, 'pads');
  const [batch, channels] = x.shape;
  const [, outputs, outHeight, outWidth] = dy.shape;
  const rows = batch! * outHeight! * outWidth!;
  const padded = builder.emit('Pad', [builder.transpose(x, [0, 2, 3, 1]), builder.scalar(0)], {
    mode: 'constant',
    pads: [0, top!, left!, 0, 0, bottom!, right!, 0],
  });
  const gradients = builder.reshape(builder.transpose(dy, [0, 2, 3, 1]), [rows, outputs!]);
  const taps: Value[] = [];
  for (let row = 0; row < height!; row++) {
    for (let column = 0; column < width!; column++) {
      const [y, x0] = [row * dilations[0]!, column * dilations[1]!];
      const window = builder.emit('Slice', [padded], {
        starts: [y, x0],
        ends: [y + strides[0]! * (outHeight! - 1) + 1, x0 + strides[1]! * (outWidth! - 1) + 1],
        axes: [1, 2],
        steps: strides,
      });
      const seen = builder.reshape(window, [rows, channels!]);
      taps.push(builder.emit('Gemm', [seen, gradients], { transA: 1, transB: 0, alpha: 1, beta: 1 }));
    }
  }
  return builder.reshape(builder.emit('Concat', taps, { axis: 0 }), [height!, width!, channels!, outputs!]);
}
