// Kernels that pick or place elements by index.
import type { Value } from '../graph/types.js';
import { size } from '../graph/types.js';
import { cast, elementType } from './elementwise.js';
import type { KernelCall, KernelGroup } from './kernel.js';
import { frontAxis } from './shape.js';

function gather(call: KernelCall): Value {
  const { builder } = call;
  const [x, indices] = [call.input('x'), call.input('indices')];
  const axis = frontAxis(call.number('axis'), x.shape.length);
  const batchDims = call.number('batchDims');
  if (batchDims === 0) return builder.emit('Gather', [x, cast(builder, indices, 'int32')], { axis });
  if (axis !== batchDims) throw call.unsupported(`axis ${axis} with ${batchDims} batch dimensions`);
  const pointers = cast(builder, builder.reshape(indices, [...indices.shape, 1]), 'int64');
  return builder.emit('GatherND', [x, pointers], { batch_dims: batchDims });
}

/** Rows of `x` summed by segment: a product with the one-hot matrix of the segments. */
function segmentSum(call: KernelCall): Value {
  const { builder } = call;
  const [x, segments] = [call.input('x'), call.input('segmentIds')];
  const count = call.number('numSegments');
  const rest = x.shape.slice(segments.shape.length);
  const rows = size(segments.shape);
  const flat = builder.reshape(x, [rows, size(rest)]);
  const indices = cast(builder, builder.reshape(segments, [rows]), 'int64');
  const zeros = builder.filled(0, x.type, [count, size(rest)]);
  const sum = builder.emit('ScatterND', [zeros, builder.reshape(indices, [rows, 1]), flat], { reduction: 'add' });
  return builder.reshape(sum, [count, ...rest]);
}

export const gathering: KernelGroup = {
  GatherNd: call =>
    call.builder.emit('GatherND', [call.input('params'), cast(call.builder, call.input('indices'), 'int64')], {
      batch_dims: 0,
    }),
  GatherV2: gather,
  OneHot: call => {
    const { builder } = call;
    const indices = call.input('indices');
    const type = elementType(call, call.attributes.dtype ?? 'float32');
    // comparing keeps indices outside [0, depth), such as -1 for "no label", at the off value; ONNX's OneHot wraps them
    const depth = call.number('depth');
    const wide = builder.reshape(cast(builder, indices, 'int32'), [...indices.shape, 1]);
    const classes = builder.constant(
      Int32Array.from({ length: depth }, (_, k) => k),
      'int32',
      [depth],
    );
    const hit = builder.emit('Equal', [wide, classes]);
    const [on, off] = [call.number('onValue'), call.number('offValue')];
    if (on === 1 && off === 0) return cast(builder, hit, type);
    return builder.emit('Where', [hit, builder.scalar(on, type), builder.scalar(off, type)]);
  },
  ScatterNd: call => {
    const { builder } = call;
    const updates = call.input('updates');
    const zeros = builder.filled(0, updates.type, call.numbers('shape'));
    return builder.emit('ScatterND', [zeros, cast(builder, call.input('indices'), 'int64'), updates], {
      reduction: 'add',
    });
  },
  TensorScatterUpdate: call => {
    const { builder } = call;
    const indices = cast(builder, call.input('indices'), 'int64');
    return builder.emit('ScatterND', [call.input('tensor'), indices, call.input('updates')], { reduction: 'none' });
  },
  UnsortedSegmentSum: segmentSum,
};
