// Keeps images in onnxruntime's blocked layout between convolutions: what works on each number, parts or joins whole groups of
// channels, pads or sums is done on the groups as they lie, and the way back to channels last moves behind it, where it meets
// the next convolution's way in and cancels.
import { blockedSource, fromBlocked, toBlocked } from './blocked-image.js';
import type { GraphBuilder } from './builder.js';
import { broadcast, integer, ints } from './infer.js';
import { ELEMENTWISE } from './layout.js';
import { countUses, type Rule } from './rewrite.js';
import type { Attributes, Graph, Node, Value } from './types.js';
import { sameShape, size } from './types.js';

/** Reductions that may be done over the places of each image first, and over the images then. */
const REDUCTIONS = new Set(['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin']);
/** Axes of [batch, height, width, channels] among [batch, groups, height, width, channels of a group]. */
const PLACES = [0, 2, 3];

/** The rule of this pass, a part of blocked.ts's. `graph` is the one that is rewritten. */
export function sinkBlocks(graph: Graph, block: number): Rule {
  const uses = countUses(graph);
  return (builder, node, inputs) => {
    if (inputs.some(value => value === undefined)) return undefined;
    // none is undefined, as just seen
    const values = inputs as readonly Value[];
    if (!values.some(value => value.shape.length === 4 && blockedSource(value, block))) return undefined;
    const context = { builder, block };
    const biased = node.operator === 'Add' ? addBias(context, node, values, uses) : undefined;
    const result = biased ?? sink(context, node, values);
    return result && [result];
  };
}

interface Context {
  readonly builder: GraphBuilder;
  readonly block: number;
}

function sink(context: Context, { operator, attributes }: Node, inputs: readonly Value[]): Value | undefined {
  if (ELEMENTWISE.has(operator)) return elementwise(context, operator, inputs, attributes);
  if (operator === 'Concat') return concat(context, inputs, integer(attributes, 'axis'));
  const [image] = inputs;
  const source = image && blockedSource(image, context.block);
  if (!source) return undefined;
  if (REDUCTIONS.has(operator)) return reduce(context, operator, image, source, attributes);
  if (operator === 'Slice') return slice(context, image, source, attributes);
  if (operator === 'Pad') return pad(context, source, inputs[1]!, attributes);
  return undefined;
}

/** [batch, groups, height, width, channels of a group] */
function groupsOf({ builder, block }: Context, source: Value): Value {
  const [batch, channels, height, width] = source.shape as [number, number, number, number];
  return builder.reshape(source, [batch, channels / block, height, width, block]);
}

/** Channels last again, from groups. */
function leave({ builder, block }: Context, groups: Value): Value {
  const [batch, count, height, width] = groups.shape as [number, number, number, number, number];
  const channels = count * block;
  return fromBlocked(builder, builder.reshape(groups, [batch, channels, height, width]), channels, block);
}

function elementwise(
  context: Context,
  operator: string,
  inputs: readonly Value[],
  attributes: Attributes,
): Value | undefined {
  const { builder, block } = context;
  const shape = broadcast(...inputs.map(value => value.shape));
  if (shape.length !== 4 || shape[3]! % block !== 0) return undefined;
  const aligned: Value[] = [];
  for (const value of inputs) {
    const groups = align(context, value, shape);
    if (!groups) return undefined;
    aligned.push(groups);
  }
  const simple = aligned.every(value => size(value.shape) === 1 || size(value.shape) === size(shape));
  if (!simple) return leave(context, builder.emit(operator, aligned, attributes));
  const [batch, height, width, channels] = shape as [number, number, number, number];
  const whole = aligned.map(value =>
    size(value.shape) === 1 ? value : builder.reshape(value, [batch, channels, height, width]),
  );
  return fromBlocked(builder, builder.emit(operator, whole, attributes), channels, block);
}

/** An operand of an image of `shape`, so that it broadcasts against the image's groups. */
function align(context: Context, value: Value, shape: readonly number[]): Value | undefined {
  const { builder, block } = context;
  if (size(value.shape) === 1) return builder.reshape(value, []);
  if (sameShape(value.shape, shape)) {
    const source = blockedSource(value, block);
    if (source) return groupsOf(context, source);
    return value.type === 'float32' ? groupsOf(context, toBlocked(builder, value, block)) : undefined;
  }
  const wide = [...new Array<number>(4 - value.shape.length).fill(1), ...value.shape];
  const [batch, height, width, channels] = wide as [number, number, number, number];
  if (channels === 1) return builder.reshape(value, [batch, 1, height, width, 1]);
  const parted = builder.reshape(value, [batch, height, width, channels / block, block]);
  return builder.transpose(parted, [0, 3, 1, 2, 4]);
}

/** A bias for each channel joins the convolution that nobody else reads. */
function addBias(
  context: Context,
  node: Node,
  inputs: readonly Value[],
  uses: ReadonlyMap<Value, number>,
): Value | undefined {
  const { builder, block } = context;
  for (const [index, image] of inputs.entries()) {
    const bias = inputs[1 - index]!;
    const convolution = image.shape.length === 4 ? blockedSource(image, block)?.node : undefined;
    if (convolution?.operator !== 'BlockedConv' || convolution.inputs.length !== 2) continue;
    if (uses.get(node.inputs[index]!) !== 1) continue;
    const channels = image.shape[3]!;
    if (size(bias.shape) !== channels || bias.shape.at(-1) !== channels) continue;
    const sum = [...convolution.inputs, builder.reshape(bias, [channels])];
    return fromBlocked(builder, builder.emit('BlockedConv', sum, convolution.attributes), channels, block);
  }
  return undefined;
}

function concat(context: Context, inputs: readonly Value[], axis: number): Value | undefined {
  const { builder, block } = context;
  if (inputs.some(({ shape, type }) => shape[3]! % block !== 0 || type !== 'float32')) return undefined;
  const groups = inputs.map(value =>
    groupsOf(context, blockedSource(value, block) ?? toBlocked(builder, value, block)),
  );
  return leave(context, builder.emit('Concat', groups, { axis: axis === 3 ? 1 : PLACES[axis]! }));
}

function slice(context: Context, image: Value, source: Value, attributes: Attributes): Value | undefined {
  const { builder, block } = context;
  const [starts, ends, axes, steps] = ['starts', 'ends', 'axes', 'steps'].map(name => ints(attributes, name));
  const channels = axes!.indexOf(3);
  const [start, end] = [starts![channels] ?? 0, Math.min(ends![channels] ?? 0, image.shape[3]!)];
  if (channels >= 0 && (start < 0 || start % block !== 0 || end % block !== 0 || steps![channels] !== 1)) {
    return undefined;
  }
  const inGroups = (numbers: readonly number[], own: number) =>
    numbers.map((number, index) => (index === channels ? own / block : number));
  const cut = builder.emit('Slice', [groupsOf(context, source)], {
    starts: inGroups(starts!, start),
    ends: inGroups(ends!, end),
    axes: axes!.map(axis => (axis === 3 ? 1 : PLACES[axis]!)),
    steps: steps!,
  });
  return leave(context, cut);
}

function pad(context: Context, source: Value, filling: Value, attributes: Attributes): Value | undefined {
  const pads = ints(attributes, 'pads');
  if (pads[3] !== 0 || pads[7] !== 0) return undefined;
  const own = [...[pads[0]!, 0, pads[1]!, pads[2]!, 0], ...[pads[4]!, 0, pads[5]!, pads[6]!, 0]];
  return leave(
    context,
    context.builder.emit('Pad', [groupsOf(context, source), filling], { ...attributes, pads: own }),
  );
}

/**
 * Over all numbers of each image or of all; or over the places of each image, and then over the images: each step in one of
 * the patterns for which onnxruntime has fast loops.
 */
function reduce(
  { builder, block }: Context,
  operator: string,
  image: Value,
  source: Value,
  attributes: Attributes,
): Value | undefined {
  const axes = ints(attributes, 'axes');
  const [batch, height, width, channels] = image.shape as [number, number, number, number];
  const kept = image.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
  const shape = integer(attributes, 'keepdims') === 1 ? kept : kept.filter((_, axis) => !axes.includes(axis));
  const over = (value: Value, axis: number) => builder.emit(operator, [value], { axes: [axis], keepdims: 0 });
  if (!axes.includes(1) || !axes.includes(2)) return undefined;
  if (axes.includes(3)) {
    const rows = axes.includes(0) ? 1 : batch;
    return builder.reshape(over(builder.reshape(source, [rows, size(source.shape) / rows]), 1), shape);
  }
  const places = builder.reshape(source, [(batch * channels) / block, height * width, block]);
  const each = builder.reshape(over(places, 1), [batch, channels]);
  return builder.reshape(axes.includes(0) ? over(each, 0) : each, shape);
}
