// Convolutions in onnxruntime's blocked layout (NCHWc: channels in groups of 8 or 16, each group contiguous), for which
// its kernels run 1.4 times faster and need no im2col. onnxruntime chooses them by itself only where the weights are
// constants, which they are not while training: so the filter is put in order here, by nodes of the graph. Images stay in
// blocks as long as they can, and channels last, as tfjs has them, elsewhere. For the processor at hand only: never for
// exported graphs.
import { blockedFilterGradient } from './batch-correlation.js';
import { fromBlocked, TO_FIRST, TO_LAST, toBlocked } from './blocked-image.js';
import type { GraphBuilder } from './builder.js';
import { integer, ints } from './infer.js';
import { FILTER_GRADIENT } from './lower.js';
import { bestPatch, layPatches, type Patch, patchAttributes, patchWeights, resultSize } from './patches.js';
import type { Rule } from './rewrite.js';
import { sinkBlocks } from './sink-blocks.js';
import type { Attributes, Graph, Node, Value } from './types.js';

/** onnxruntime takes rows of channels in multiples of this. */
const ALIGNMENT = 4;

/** The rule of this pass for one graph. `block`: channels in a group, as the processor has it. */
export function blockImages(graph: Graph, block: number): Rule {
  const sink = sinkBlocks(graph, block);
  return (builder, node, inputs) => {
    const [x, weights] = inputs;
    if (!x || !weights || inputs.length !== 2 || x.shape.length !== 4) return sink(builder, node, inputs);
    if (node.operator === FILTER_GRADIENT) {
      const gradient = blockedFilterGradient(builder, x, weights, node.attributes, block);
      return gradient && [gradient];
    }
    if (node.operator === 'Conv') {
      const result = convolve(builder, x, weights, node.attributes, block);
      return result && [builder.transpose(result, TO_FIRST)];
    }
    if (node.operator === 'ConvTranspose') {
      const result = convolveTransposed(builder, node, x, weights, block);
      return result && [builder.transpose(result, TO_FIRST)];
    }
    return sink(builder, node, inputs);
  };
}

/** `x` [batch, in, height, width], `weights` [out, in, height, width] -> [batch, height, width, out]. */
function convolve(
  builder: GraphBuilder,
  x: Value,
  weights: Value,
  attributes: Attributes,
  block: number,
): Value | undefined {
  const [outputs, inputs, height, width] = weights.shape as [number, number, number, number];
  if (integer(attributes, 'group', 1) !== 1) return undefined;
  const patch = bestPatch(x, weights, attributes, block);
  if (patch) return convolvePatches(builder, x, weights, attributes, patch, block);
  const planes = inputs < block;
  // onnxruntime fills the last group by itself where rows of channels are aligned
  if (!planes && inputs % ALIGNMENT !== 0) return undefined;
  const whole = (channels: number) => Math.ceil(channels / block) * block;
  const [rows, columns] = [planes ? inputs : whole(inputs), whole(outputs)];
  // [height, width, in, out], as tfjs has it, with zeros for what fills the groups
  const filter = builder.emit('Pad', [builder.transpose(weights, [2, 3, 1, 0]), builder.scalar(0)], {
    mode: 'constant',
    pads: [0, 0, 0, 0, 0, 0, rows - inputs, columns - outputs],
  });
  const source = planes ? x : toBlocked(builder, builder.transpose(x, TO_LAST), block);
  const ordered = planes
    ? // few channels are read plane by plane
      builder.transpose(builder.reshape(filter, [height, width, rows, columns / block, block]), [3, 2, 0, 1, 4])
    : builder.transpose(
        builder.reshape(filter, [height, width, rows / block, block, columns / block, block]),
        [4, 2, 0, 1, 3, 5],
      );
  const { group: _, ...geometry } = attributes;
  const result = builder.emit('BlockedConv', [source, builder.reshape(ordered, [columns, rows, height, width])], {
    ...geometry,
    group: 1,
  });
  return fromBlocked(builder, result, outputs, block);
}

/** `convolve` for few outputs: see patches.ts. */
function convolvePatches(
  builder: GraphBuilder,
  x: Value,
  weights: Value,
  attributes: Attributes,
  patch: Patch,
  block: number,
): Value | undefined {
  const whole = patchAttributes(x, weights, attributes, patch);
  const patches = convolve(builder, x, patchWeights(builder, weights, patch), whole, block);
  return patches && layPatches(builder, patches, patch, resultSize(x, weights, attributes));
}

/**
 * A transposed convolution with strides as one small convolution for each phase of the output grid, laid side by side:
 * as many multiplications, and no scattered additions. `weights` [in, out, height, width]; returns channels last.
 */
function convolveTransposed(
  builder: GraphBuilder,
  { attributes, outputs }: Node,
  x: Value,
  weights: Value,
  block: number,
): Value | undefined {
  const [, channels] = weights.shape as [number, number];
  const plain = ints(attributes, 'dilations').every(each => each === 1) && integer(attributes, 'group', 1) === 1;
  if (!plain || x.shape[1]! % ALIGNMENT !== 0) return undefined;
  const shape = outputs[0]!.shape;
  const plans = [0, 1].map(axis =>
    phases({
      stride: ints(attributes, 'strides')[axis]!,
      filter: weights.shape[axis + 2]!,
      pad: ints(attributes, 'pads')[axis]!,
      input: x.shape[axis + 2]!,
      output: shape[axis + 2]!,
    }),
  );
  if (plans.some(plan => plan === undefined)) return undefined;
  // both are there, as just seen
  const [rows, columns] = plans as [Phase[], Phase[]];
  const bands = rows.map(row => {
    const parts = columns.map(column => phase(builder, x, weights, row, column, block));
    const side = builder.emit('Concat', parts, { axis: 3 });
    const [batch, height, width, wide] = side.shape;
    return builder.reshape(side, [batch!, height!, width! * wide!]);
  });
  const stacked = builder.emit('Concat', bands, { axis: 2 });
  const [batch, height] = stacked.shape;
  const width = columns.length * columns[0]!.count;
  const whole = builder.reshape(stacked, [batch!, height! * rows.length, width, channels]);
  return builder.slice(builder.slice(whole, 1, 0, shape[2]!), 2, 0, shape[3]!);
}

/** Output places congruent to one number modulo the stride: which taps reach them, and the padding of their convolution. */
interface Phase {
  readonly firstTap: number;
  readonly stride: number;
  readonly taps: number;
  readonly before: number;
  readonly after: number;
  /** Places, the same for all phases: the last may fall outside the output. */
  readonly count: number;
}

function phases(axis: {
  stride: number;
  filter: number;
  pad: number;
  input: number;
  output: number;
}): Phase[] | undefined {
  const { stride, filter, pad, input, output } = axis;
  const count = Math.ceil(output / stride);
  const plan = Array.from({ length: stride }, (_, offset): Phase => {
    const firstTap = (offset + pad) % stride;
    const taps = Math.ceil((filter - firstTap) / stride);
    const shift = (offset + pad - firstTap) / stride;
    return { firstTap, stride, taps, before: taps - 1 - shift, after: count - input + shift, count };
  });
  // a filter smaller than its stride leaves phases empty, and some geometries crop: those keep ONNX's own operator
  return plan.every(({ taps, before, after }) => taps > 0 && before >= 0 && after >= 0) ? plan : undefined;
}

function phase(builder: GraphBuilder, x: Value, weights: Value, row: Phase, column: Phase, block: number): Value {
  // [in, out, ...] to [out, in, ...], the phase's taps in reverse: a correlation
  const last = (each: Phase) => each.firstTap + each.stride * (each.taps - 1);
  const own = builder.emit('Slice', [builder.transpose(weights, [1, 0, 2, 3])], {
    starts: [last(row), last(column)],
    ends: [row, column].map(each =>
      each.firstTap === 0 ? -each.stride * each.taps - weights.shape[2]! : each.firstTap - 1,
    ),
    axes: [2, 3],
    steps: [-row.stride, -column.stride],
  });
  const result = convolve(
    builder,
    x,
    own,
    {
      kernel_shape: [row.taps, column.taps],
      strides: [1, 1],
      dilations: [1, 1],
      pads: [row.before, column.before, row.after, column.after],
    },
    block,
  );
  // the caller has checked the channels
  return result!;
}
