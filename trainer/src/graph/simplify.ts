// Local rewrites at emission: what can be seen from one node and its producers. Each returns a value equal to the
// node's only output, or undefined.
import type { GraphBuilder } from './builder.js';
import { uniformNumber } from './builder.js';
import { broadcast, integer, ints, TYPE_CODES } from './infer.js';
import type { Attributes, Value } from './types.js';
import { sameShape } from './types.js';

type Inputs = readonly (Value | undefined)[];
type Rewrite = (builder: GraphBuilder, inputs: readonly Value[], attributes: Attributes) => Value | undefined;

export function simplify(
  builder: GraphBuilder,
  operator: string,
  inputs: Inputs,
  attributes: Attributes,
): Value | undefined {
  const rewrite = REWRITES[operator];
  if (!rewrite || inputs.some(value => value === undefined)) return undefined;
  // none is undefined, as just seen
  return rewrite(builder, inputs as readonly Value[], attributes);
}

const producer = (value: Value, operator: string) => (value.node?.operator === operator ? value.node : undefined);

/** Broadcasting makes an Expand in front of an elementwise operator needless where the result keeps its shape. */
function withoutExpand(operator: string): Rewrite {
  return (builder, inputs, attributes) => {
    const shape = broadcast(...inputs.map(value => value.shape));
    for (const [index, value] of inputs.entries()) {
      const source = producer(value, 'Expand')?.inputs[0];
      if (!source) continue;
      const simpler = inputs.map((each, position) => (position === index ? source : each));
      if (sameShape(broadcast(...simpler.map(each => each.shape)), shape)) {
        return builder.emit(operator, simpler, attributes);
      }
    }
    return undefined;
  };
}

/** x + 0, x * 1, x / 1, x - 0 are x, broadcast. `commutes`: the neutral number may stand on the left as well. */
function neutral(operator: string, number: number, commutes: boolean): Rewrite {
  const unexpanded = withoutExpand(operator);
  return (builder, inputs, attributes) => {
    const [left, right] = inputs;
    const shape = broadcast(left!.shape, right!.shape);
    if (uniformNumber(right) === number) return builder.expand(left!, shape);
    if (commutes && uniformNumber(left) === number) return builder.expand(right!, shape);
    return unexpanded(builder, inputs, attributes);
  };
}

const same: Rewrite = (_, [value]) => value;

const REWRITES: Readonly<Record<string, Rewrite>> = {
  Identity: same,
  Add: neutral('Add', 0, true),
  Sub: neutral('Sub', 0, false),
  Mul: (builder, inputs, attributes) => {
    const [left, right] = inputs;
    // -1 * x is one pass over memory either way, and Neg reads better
    if (uniformNumber(left) === -1 && sameShape(broadcast(left!.shape, right!.shape), right!.shape)) {
      return builder.emit('Neg', [right!]);
    }
    return neutral('Mul', 1, true)(builder, inputs, attributes);
  },
  Div: neutral('Div', 1, false),
  ...Object.fromEntries(
    ['Pow', 'Max', 'Min', 'Mod', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'Equal', 'Where', 'And', 'Or'].map(
      operator => [operator, withoutExpand(operator)],
    ),
  ),
  Neg: (builder, [value]) => {
    const negated = producer(value!, 'Neg')?.inputs[0];
    if (negated) return negated;
    // -max(-x, 0) = min(x, 0)
    const rectified = producer(value!, 'Relu')?.inputs[0];
    const source = rectified && producer(rectified, 'Neg')?.inputs[0];
    return source && builder.emit('Min', [source, builder.scalar(0, source.type)]);
  },
  Cast: (_, [value], attributes) => (TYPE_CODES[value!.type] === attributes.to ? value : undefined),
  Reshape: (builder, [value], attributes) => {
    const shape = ints(attributes, 'shape');
    if (sameShape(value!.shape, shape)) return value;
    const inner = producer(value!, 'Reshape')?.inputs[0];
    if (inner) return builder.reshape(inner, shape);
    const number = value!.node?.operator === 'Expand' ? uniformNumber(value) : undefined;
    return number === undefined ? undefined : builder.filled(number, value!.type, shape);
  },
  Expand: (builder, [value], attributes) => {
    const shape = ints(attributes, 'shape');
    if (sameShape(broadcast(value!.shape, shape), value!.shape)) return value;
    const inner = producer(value!, 'Expand')?.inputs[0];
    return inner && builder.expand(inner, broadcast(value!.shape, shape));
  },
  Transpose: (builder, [value], attributes) => {
    const perm = ints(attributes, 'perm');
    if (perm.every((axis, index) => axis === index)) return value;
    const inner = producer(value!, 'Transpose');
    if (inner) {
      const first = ints(inner.attributes, 'perm');
      return builder.transpose(
        inner.inputs[0]!,
        perm.map(axis => first[axis]!),
      );
    }
    // images leave the blocked layout in either order of axes
    const blocked = producer(value!, 'ReorderOutput');
    const last = blocked?.attributes.channels_last;
    if (blocked && perm.join() === (last === 1 ? '0,3,1,2' : '0,2,3,1')) {
      return builder.emit('ReorderOutput', blocked.inputs, {
        ...blocked.attributes,
        channels_last: last === 1 ? 0 : 1,
      });
    }
    // moving axes of extent 1 moves no data
    const moved = perm.filter(axis => value!.shape[axis] !== 1);
    if (moved.every((axis, index) => index === 0 || axis > moved[index - 1]!)) {
      return builder.reshape(
        value!,
        perm.map(axis => value!.shape[axis]!),
      );
    }
    const number = value!.node?.operator === 'Expand' ? uniformNumber(value) : undefined;
    if (number === undefined) return undefined;
    return builder.filled(
      number,
      value!.type,
      perm.map(axis => value!.shape[axis]!),
    );
  },
  ReorderInput: (_, [value], attributes) => {
    if (attributes.channels_last !== 1) return undefined;
    const left = producer(value!, 'ReorderOutput');
    const source = left?.attributes.channels_last === 1 ? left.inputs[0] : undefined;
    // what fills the last group is zero, as it was before
    const channels = Math.ceil(value!.shape[3]! / integer(attributes, 'block')) * integer(attributes, 'block');
    return source?.shape[1] === channels ? source : undefined;
  },
  Concat: (_, inputs) => (inputs.length === 1 ? inputs[0] : undefined),
  Slice: (_, [value], attributes) => {
    const [starts, ends, axes, steps] = ['starts', 'ends', 'axes', 'steps'].map(name => ints(attributes, name));
    const whole = axes!.every(
      (axis, index) => starts![index] === 0 && ends![index]! >= value!.shape[axis]! && steps![index] === 1,
    );
    return whole ? value : undefined;
  },
  Pad: (_, [value], attributes) => (ints(attributes, 'pads').every(pad => pad === 0) ? value : undefined),
  Tile: (builder, [value], attributes) => {
    const repeats = ints(attributes, 'repeats');
    if (repeats.every(count => count === 1)) return value;
    const number = uniformNumber(value);
    const shape = repeats.map((count, axis) => count * value!.shape[axis]!);
    if (number !== undefined) return builder.filled(number, value!.type, shape);
    // repeating axes of extent 1 only is broadcasting
    return repeats.every((count, axis) => count === 1 || value!.shape[axis] === 1)
      ? builder.expand(value!, shape)
      : undefined;
  },
  ReduceSum: emptyReduction,
  ReduceMean: emptyReduction,
  ReduceMax: emptyReduction,
  ReduceMin: emptyReduction,
};

function emptyReduction(...[, [value], attributes]: Parameters<Rewrite>): Value | undefined {
  return ints(attributes, 'axes').length === 0 ? value : undefined;
}
