// Moves transposes towards the outputs, through whatever commutes with them, so that they meet their inverses and cancel.
// tfjs works channels last, ONNX convolutions channels first: without this pass each convolution stands between two transposes.
import type { GraphBuilder } from './builder.js';
import { broadcast, integer, ints } from './infer.js';
import type { Rule } from './rewrite.js';
import type { Attributes, Node, Value } from './types.js';

/** Operators that give each number from the numbers at its place. */
export const ELEMENTWISE: ReadonlySet<string> = new Set(
  (
    'Add Sub Mul Div Pow Max Min Mod And Or Xor Greater GreaterOrEqual Less LessOrEqual Equal Where Abs Neg Exp Log Sqrt ' +
    'Reciprocal Sign Floor Ceil Round Erf Not Relu LeakyRelu Elu Selu Sigmoid Tanh Softplus HardSigmoid Sin Cos Tan Asin ' +
    'Acos Atan Sinh Cosh Asinh Acosh Atanh IsNaN IsInf Cast'
  ).split(' '),
);
const REDUCTIONS = new Set(['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceProd']);
const ALONG_AXIS = new Set(['Softmax', 'LogSoftmax', 'CumSum']);

type Perm = readonly number[];

/** The rule of this pass. */
export const sinkTransposes: Rule = (builder, node, inputs) => {
  const perm = inputs.map(value => value && builder.computes(value) && transposition(value)).find(each => each);
  if (!perm || inputs.some(value => value === undefined)) return undefined;
  // none is undefined, as just seen
  const values = inputs as readonly Value[];
  const moved = sink(builder, node, values, perm);
  return moved && [moved];
};

function transposition(value: Value): Perm | undefined {
  return value.node?.operator === 'Transpose' ? ints(value.node.attributes, 'perm') : undefined;
}

const inverse = (perm: Perm): number[] => perm.map((_, axis) => perm.indexOf(axis));

/** `value` before `perm`, so that transpose(result, perm) = value. */
function before(builder: GraphBuilder, value: Value, perm: Perm): Value {
  return builder.transpose(value, inverse(perm));
}

function sink(builder: GraphBuilder, node: Node, inputs: readonly Value[], perm: Perm): Value | undefined {
  const { operator, attributes } = node;
  const after = (value: Value) => builder.transpose(value, perm);
  if (ELEMENTWISE.has(operator)) {
    const aligned = alignAll(builder, inputs, perm);
    return aligned && after(builder.emit(operator, aligned, attributes));
  }
  const x = inputs[0]!;
  if (transposition(x) !== perm) return undefined;
  const source = x.node!.inputs[0]!;
  if (REDUCTIONS.has(operator)) return sinkReduction(builder, operator, source, attributes, perm);
  if (ALONG_AXIS.has(operator)) {
    const axis = perm[integer(attributes, 'axis')]!;
    return after(builder.emit(operator, [source], { ...attributes, axis }));
  }
  switch (operator) {
    case 'Pad': {
      const pads = ints(attributes, 'pads');
      const rank = perm.length;
      const back = inverse(perm);
      const own = [...back.map(axis => pads[axis]!), ...back.map(axis => pads[axis + rank]!)];
      return after(builder.emit('Pad', [source, ...inputs.slice(1)], { ...attributes, pads: own }));
    }
    case 'Slice': {
      const axes = ints(attributes, 'axes').map(axis => perm[axis]!);
      return after(builder.emit('Slice', [source], { ...attributes, axes }));
    }
    case 'Tile': {
      const repeats = ints(attributes, 'repeats');
      return after(builder.emit('Tile', [source], { repeats: inverse(perm).map(axis => repeats[axis]!) }));
    }
    case 'Expand': {
      const shape = ints(attributes, 'shape');
      if (shape.length !== perm.length) return undefined;
      return after(
        builder.expand(
          source,
          inverse(perm).map(axis => shape[axis]!),
        ),
      );
    }
    case 'Concat': {
      const aligned = inputs.map(value => before(builder, value, perm));
      const axis = perm[integer(attributes, 'axis')]!;
      return after(builder.emit('Concat', aligned, { axis }));
    }
    default:
      return undefined;
  }
}

function sinkReduction(
  builder: GraphBuilder,
  operator: string,
  source: Value,
  attributes: Attributes,
  perm: Perm,
): Value {
  const axes = ints(attributes, 'axes')
    .map(axis => perm[axis]!)
    .sort((a, b) => a - b);
  const reduced = builder.emit(operator, [source], { ...attributes, axes });
  if (integer(attributes, 'keepdims') === 1) return builder.transpose(reduced, perm);
  // what is left of the permutation once the reduced axes are gone
  const kept = perm.filter(axis => !axes.includes(axis));
  const rank = (axis: number) => axis - axes.filter(each => each < axis).length;
  return builder.transpose(reduced, kept.map(rank));
}

/**
 * The operands before the transposition. Operands of lower rank are reshaped so that they broadcast against it; one of
 * full rank that is not transposed the same way pays with a transpose of its own. Undefined where that is not worth it.
 */
function alignAll(builder: GraphBuilder, inputs: readonly Value[], perm: Perm): Value[] | undefined {
  const rank = perm.length;
  if (inputs.some(value => value.shape.length > rank)) return undefined;
  const shape = broadcast(...inputs.map(value => value.shape));
  if (shape.length !== rank) return undefined;
  return inputs.map(value => {
    if (value.shape.every(extent => extent === 1)) return builder.reshape(value, []);
    const wide = builder.reshape(value, [...new Array<number>(rank - value.shape.length).fill(1), ...value.shape]);
    return before(builder, wide, perm);
  });
}
