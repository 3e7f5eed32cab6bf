// Kernels that move elements without computing: reshape, transpose, slice, pad, join, repeat.
import type { GraphBuilder } from '../graph/builder.js';
import type { Value } from '../graph/types.js';
import type { KernelCall, KernelGroup } from './kernel.js';

/** Counts an axis from the front. */
export const frontAxis = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

export function reverse(builder: GraphBuilder, value: Value, axes: readonly number[]): Value {
  if (axes.length === 0) return value;
  return builder.emit('Slice', [value], {
    starts: axes.map(() => -1),
    ends: axes.map(axis => -value.shape[axis]! - 1),
    axes,
    steps: axes.map(() => -1),
  });
}

/** Pads with [before, after] on each axis. Booleans and integers are padded in their own type. */
export function pad(
  builder: GraphBuilder,
  value: Value,
  pairs: readonly (readonly [number, number])[],
  number = 0,
  mode: 'constant' | 'reflect' = 'constant',
): Value {
  const pads = [...pairs.map(([before]) => before), ...pairs.map(([, after]) => after)];
  if (mode === 'reflect') return builder.emit('Pad', [value], { mode, pads });
  // the constant is ONNX's third input; `pads` takes the second place when written
  return builder.emit('Pad', [value, builder.scalar(number, value.type)], { mode, pads });
}

function slice(call: KernelCall): Value {
  const x = call.input('x');
  const begin = call.numbers('begin');
  // without sizes a slice goes to the end
  const sizes = call.attributes.size === undefined ? [] : call.numbers('size');
  const starts = x.shape.map((_, axis) => begin[axis] ?? 0);
  const ends = x.shape.map((extent, axis) => {
    const length = sizes[axis] ?? -1;
    return length === -1 ? extent : starts[axis]! + length;
  });
  const axes = x.shape.flatMap((extent, axis) => (starts[axis] === 0 && ends[axis] === extent ? [] : [axis]));
  return call.builder.emit('Slice', [x], {
    starts: axes.map(axis => starts[axis]!),
    ends: axes.map(axis => ends[axis]!),
    axes,
    steps: axes.map(() => 1),
  });
}

/** Mirror padding by one axis at a time: 'reflect' leaves the edge out, 'symmetric' repeats it. */
function mirrorPad(call: KernelCall): Value {
  const { builder } = call;
  const pairs = call.pairs('paddings');
  if (call.text('mode') === 'reflect') return pad(builder, call.input('x'), pairs, 0, 'reflect');
  let value = call.input('x');
  for (const [axis, [before, after]] of pairs.entries()) {
    const extent = value.shape[axis]!;
    const parts = [
      ...(before > 0 ? [reverse(builder, builder.slice(value, axis, 0, before), [axis])] : []),
      value,
      ...(after > 0 ? [reverse(builder, builder.slice(value, axis, extent - after, extent), [axis])] : []),
    ];
    value = builder.emit('Concat', parts, { axis });
  }
  return value;
}

/** Splits every axis of `blockShape` from its spatial axis, and moves the blocks to the batch. */
function spaceToBatch(call: KernelCall): Value {
  const { builder } = call;
  const blocks = call.numbers('blockShape');
  const x = call.input('x');
  const paddings = call.pairs('paddings');
  const padded = pad(builder, x, [[0, 0], ...paddings, ...x.shape.slice(1 + blocks.length).map(() => [0, 0] as const)]);
  const spatial = padded.shape.slice(1, 1 + blocks.length);
  const rest = padded.shape.slice(1 + blocks.length);
  const split = builder.reshape(padded, [
    padded.shape[0]!,
    ...spatial.flatMap((extent, axis) => [extent / blocks[axis]!, blocks[axis]!]),
    ...rest,
  ]);
  const perm = [
    ...blocks.map((_, axis) => 2 + 2 * axis),
    0,
    ...blocks.map((_, axis) => 1 + 2 * axis),
    ...rest.map((_, axis) => 1 + 2 * blocks.length + axis),
  ];
  const count = blocks.reduce((product, block) => product * block, 1);
  return builder.reshape(builder.transpose(split, perm), [
    padded.shape[0]! * count,
    ...spatial.map((extent, axis) => extent / blocks[axis]!),
    ...rest,
  ]);
}

/** The inverse of `spaceToBatch`. */
function batchToSpace(call: KernelCall): Value {
  const { builder } = call;
  const blocks = call.numbers('blockShape');
  const crops = call.pairs('crops');
  const x = call.input('x');
  const count = blocks.reduce((product, block) => product * block, 1);
  const batch = x.shape[0]! / count;
  const spatial = x.shape.slice(1, 1 + blocks.length);
  const rest = x.shape.slice(1 + blocks.length);
  const split = builder.reshape(x, [...blocks, batch, ...spatial, ...rest]);
  const perm = [
    blocks.length,
    ...blocks.flatMap((_, axis) => [blocks.length + 1 + axis, axis]),
    ...rest.map((_, axis) => 2 * blocks.length + 1 + axis),
  ];
  let value = builder.reshape(builder.transpose(split, perm), [
    batch,
    ...spatial.map((extent, axis) => extent * blocks[axis]!),
    ...rest,
  ]);
  for (const [index, [before, after]] of crops.entries()) {
    value = builder.slice(value, index + 1, before, value.shape[index + 1]! - after);
  }
  return value;
}

function stridedSlice(call: KernelCall): Value {
  const { builder } = call;
  const x = call.input('x');
  const [begin, end, strides] = [call.numbers('begin'), call.numbers('end'), call.numbers('strides')];
  if (call.number('ellipsisMask') !== 0 || call.number('newAxisMask') !== 0) {
    throw call.unsupported('ellipsis and new-axis masks');
  }
  const masked = (name: string, axis: number) => ((call.number(name) >> axis) & 1) === 1;
  const ranges = begin.map((start, axis) => {
    const extent = x.shape[axis]!;
    const step = strides[axis]!;
    if (masked('shrinkAxisMask', axis)) {
      const index = frontAxis(start, extent);
      return { start: index, end: index + 1, step: 1 };
    }
    const from = masked('beginMask', axis) ? (step > 0 ? 0 : extent - 1) : start;
    const to = masked('endMask', axis) ? (step > 0 ? extent : -extent - 1) : end[axis]!;
    return { start: from, end: to, step };
  });
  const value = builder.emit('Slice', [x], {
    starts: ranges.map(range => range.start),
    ends: ranges.map(range => range.end),
    axes: ranges.map((_, axis) => axis),
    steps: ranges.map(range => range.step),
  });
  return builder.reshape(
    value,
    value.shape.filter((_, axis) => !masked('shrinkAxisMask', axis) || axis >= begin.length),
  );
}

export const shape: KernelGroup = {
  BatchToSpaceND: batchToSpace,
  BroadcastTo: call => call.builder.expand(call.input('x'), call.numbers('shape')),
  Concat: call => {
    const parts = call.list();
    const axis = frontAxis(call.number('axis'), parts[0]!.shape.length);
    const filled = parts.filter(part => part.shape[axis] !== 0);
    return call.builder.emit('Concat', filled, { axis });
  },
  DepthToSpace: call => {
    const { builder } = call;
    const block = call.number('blockSize');
    if (call.text('dataFormat') !== 'NHWC') throw call.unsupported("dataFormat 'NCHW'");
    const x = builder.transpose(call.input('x'), [0, 3, 1, 2]);
    return builder.transpose(builder.emit('DepthToSpace', [x], { blocksize: block, mode: 'DCR' }), [0, 2, 3, 1]);
  },
  ExpandDims: call => {
    const x = call.input('input');
    const axis = frontAxis(call.number('dim'), x.shape.length + 1);
    return call.builder.reshape(x, x.shape.toSpliced(axis, 0, 1));
  },
  MirrorPad: mirrorPad,
  Pack: call => {
    const parts = call.list();
    const axis = frontAxis(call.number('axis'), parts[0]!.shape.length + 1);
    const wide = parts.map(part => call.builder.reshape(part, part.shape.toSpliced(axis, 0, 1)));
    return call.builder.emit('Concat', wide, { axis });
  },
  PadV2: call => pad(call.builder, call.input('x'), call.pairs('paddings'), call.number('constantValue')),
  Reshape: call => {
    const x = call.input('x');
    const target = call.numbers('shape');
    const known = target.reduce((product, extent) => (extent === -1 ? product : product * extent), 1);
    const total = x.shape.reduce((product, extent) => product * extent, 1);
    return call.builder.reshape(
      x,
      target.map(extent => (extent === -1 ? total / known : extent)),
    );
  },
  Reverse: call => {
    const x = call.input('x');
    return reverse(
      call.builder,
      x,
      call.numbers('dims').map(axis => frontAxis(axis, x.shape.length)),
    );
  },
  Slice: slice,
  SpaceToBatchND: spaceToBatch,
  SplitV: call => {
    const x = call.input('x');
    const axis = frontAxis(call.number('axis'), x.shape.length);
    const parts = call.attributes.numOrSizeSplits;
    const given =
      typeof parts === 'number'
        ? Array.from({ length: parts }, () => x.shape[axis]! / parts)
        : call.numbers('numOrSizeSplits');
    const rest = x.shape[axis]! - given.reduce((sum, part) => sum + Math.max(part, 0), 0);
    let start = 0;
    return given.map(part => {
      const end = start + (part === -1 ? rest : part);
      const value = call.builder.slice(x, axis, start, end);
      start = end;
      return value;
    });
  },
  StridedSlice: stridedSlice,
  Tile: call => call.builder.emit('Tile', [call.input('x')], { repeats: call.numbers('reps') }),
  Transpose: call => call.builder.transpose(call.input('x'), call.numbers('perm')),
  Unpack: call => {
    const x = call.input('value');
    const axis = frontAxis(call.number('axis'), x.shape.length);
    return Array.from({ length: x.shape[axis]! }, (_, index) =>
      call.builder.reshape(call.builder.slice(x, axis, index, index + 1), x.shape.toSpliced(axis, 1)),
    );
  },
};
