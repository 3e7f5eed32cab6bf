// Constant folding: nodes whose inputs are all known are computed while the graph is built, so that weights are
// stored in the layout that the graph uses.
import type { GraphBuilder } from './builder.js';
import { elements, uniformNumber } from './builder.js';
import { broadcast, infer, integer, ints } from './infer.js';
import type { Attributes, Elements, Value } from './types.js';
import { sameShape, size } from './types.js';

type Inputs = readonly (Value | undefined)[];
interface Constant extends Value {
  readonly data: Elements;
}

/** The value of a node of known inputs, or undefined where it cannot be, or should not be, computed ahead. */
export function evaluate(
  builder: GraphBuilder,
  operator: string,
  given: Inputs,
  attributes: Attributes,
): Value | undefined {
  const inputs = operator === 'Concat' ? materialised(given) : given;
  if (inputs.length === 0 || !inputs.every((value): value is Constant => value?.data !== undefined)) return undefined;
  const compute = COMPUTE[operator];
  if (!compute || inputs.some(value => value.type === 'int64')) return undefined;
  if (operator === 'Gemm' && inputs.length !== 2) return undefined;
  const output = infer(operator, inputs, attributes)[0]!;
  const numbers = compute(inputs, attributes, output.shape);
  const names = inputs.flatMap(value => value.name ?? []);
  return builder.constant(elements(output.type, numbers), output.type, output.shape, names[0]);
}

/** Greatest size of a uniform block that is stored as a part of a constant. */
const BLOCK_SIZE = 4096;

/** With uniform blocks, which are Expand nodes elsewhere, written out where they are joined with constants. */
function materialised(inputs: Inputs): Inputs {
  if (!inputs.some(value => value?.data)) return inputs;
  return inputs.map(value => {
    const number = value?.data ? undefined : uniformNumber(value);
    if (!value || number === undefined || size(value.shape) > BLOCK_SIZE) return value;
    return { ...value, data: elements(value.type, new Array<number>(size(value.shape)).fill(number)) };
  });
}

type Compute = (inputs: readonly Constant[], attributes: Attributes, shape: readonly number[]) => ArrayLike<number>;

/** Constants are never int64 here. */
const numbers = (value: Constant) => value.data as Exclude<Elements, BigInt64Array>;

export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  return strides;
}

/** Element `i` of the result is element `offset + sum(index[axis] * strides[axis])` of `data`. */
function gather(data: ArrayLike<number>, shape: readonly number[], strides: readonly number[], offset = 0) {
  const result = new Float64Array(size(shape));
  const index = new Array<number>(shape.length).fill(0);
  let position = offset;
  for (let i = 0; i < result.length; i++) {
    result[i] = data[position]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      position += strides[axis]!;
      if (index[axis]! < shape[axis]!) break;
      position -= index[axis]! * strides[axis]!;
      index[axis] = 0;
    }
  }
  return result;
}

function spread(value: Constant, shape: readonly number[]): ArrayLike<number> {
  if (sameShape(value.shape, shape)) return numbers(value);
  const own = stridesOf(value.shape);
  const lead = shape.length - value.shape.length;
  return gather(
    numbers(value),
    shape,
    shape.map((_, axis) => (axis < lead || value.shape[axis - lead] === 1 ? 0 : own[axis - lead]!)),
  );
}

const binary =
  (combine: (a: number, b: number) => number): Compute =>
  ([a, b], _, shape) => {
    const [left, right] = [spread(a!, shape), spread(b!, shape)];
    const result = new Float64Array(left.length);
    for (let i = 0; i < result.length; i++) result[i] = combine(left[i]!, right[i]!);
    return result;
  };

const unary =
  (map: (x: number) => number): Compute =>
  ([value]) =>
    Float64Array.from(numbers(value!), map);

const COMPUTE: Readonly<Record<string, Compute>> = {
  Add: binary((a, b) => a + b),
  Sub: binary((a, b) => a - b),
  Mul: binary((a, b) => a * b),
  Div: ([a, b], attributes, shape) =>
    binary(a!.type === 'int32' ? (x, y) => Math.trunc(x / y) : (x, y) => x / y)([a!, b!], attributes, shape),
  Pow: binary((a, b) => a ** b),
  Max: binary(Math.max),
  Min: binary(Math.min),
  Greater: binary((a, b) => Number(a > b)),
  GreaterOrEqual: binary((a, b) => Number(a >= b)),
  Less: binary((a, b) => Number(a < b)),
  LessOrEqual: binary((a, b) => Number(a <= b)),
  Equal: binary((a, b) => Number(a === b)),
  And: binary((a, b) => Number(a !== 0 && b !== 0)),
  Or: binary((a, b) => Number(a !== 0 || b !== 0)),
  Where: ([condition, yes, no], _, shape) => {
    const [test, left, right] = [spread(condition!, shape), spread(yes!, shape), spread(no!, shape)];
    return Float64Array.from(test, (each, i) => (each === 0 ? right[i]! : left[i]!));
  },
  Not: unary(x => Number(x === 0)),
  Neg: unary(x => -x),
  Abs: unary(Math.abs),
  Exp: unary(Math.exp),
  Log: unary(Math.log),
  Sqrt: unary(Math.sqrt),
  Reciprocal: unary(x => 1 / x),
  Floor: unary(Math.floor),
  Ceil: unary(Math.ceil),
  Sign: unary(Math.sign),
  Relu: unary(x => Math.max(x, 0)),
  Tanh: unary(Math.tanh),
  Sin: unary(Math.sin),
  Cos: unary(Math.cos),
  Sigmoid: unary(x => 1 / (1 + Math.exp(-x))),
  Cast: ([value]) => Float64Array.from(numbers(value!)),
  Reshape: ([value]) => numbers(value!),
  Transpose: ([value], attributes, shape) => {
    const strides = stridesOf(value!.shape);
    return gather(
      numbers(value!),
      shape,
      ints(attributes, 'perm').map(axis => strides[axis]!),
    );
  },
  Slice: ([value], attributes, shape) => {
    const strides = stridesOf(value!.shape);
    const [starts, axes, steps] = ['starts', 'axes', 'steps'].map(name => ints(attributes, name));
    let offset = 0;
    for (const [index, axis] of axes!.entries()) {
      const extent = value!.shape[axis]!;
      const start = starts![index]! < 0 ? starts![index]! + extent : Math.min(starts![index]!, extent - 1);
      offset += start * strides[axis]!;
      strides[axis]! *= steps![index]!;
    }
    return gather(numbers(value!), shape, strides, offset);
  },
  Concat: (values, attributes, shape) => {
    const axis = integer(attributes, 'axis');
    const outer = size(shape.slice(0, axis));
    const result = new Float64Array(size(shape));
    let position = 0;
    for (let row = 0; row < outer; row++) {
      for (const value of values) {
        const chunk = value.data.length / outer;
        result.set(numbers(value).subarray(row * chunk, (row + 1) * chunk), position);
        position += chunk;
      }
    }
    return result;
  },
  // Products of weights with one another, e.g. the triangular factors of a matrix: two matrices, nothing added.
  Gemm: ([a, b], attributes, shape) => {
    const [transA, transB] = [integer(attributes, 'transA', 0) === 1, integer(attributes, 'transB', 0) === 1];
    const [rows, columns] = [shape[0]!, shape[1]!];
    const inner = transA ? a!.shape[0]! : a!.shape[1]!;
    const [left, right] = [numbers(a!), numbers(b!)];
    return Float64Array.from({ length: rows * columns }, (_, i) => {
      const [row, column] = [Math.floor(i / columns), i % columns];
      let sum = 0;
      for (let k = 0; k < inner; k++) {
        const x = left[transA ? k * rows + row : row * inner + k]!;
        sum += x * right[transB ? column * inner + k : k * columns + column]!;
      }
      return sum;
    });
  },
  ReduceSum: ([value], attributes) => reduceSum(value!, ints(attributes, 'axes')),
  ReduceMean: ([value], attributes) => {
    const axes = ints(attributes, 'axes');
    const count = axes.reduce((product, axis) => product * value!.shape[axis]!, 1);
    return reduceSum(value!, axes).map(sum => sum / count);
  },
};

function reduceSum(value: Constant, axes: readonly number[]): Float64Array {
  const kept = value.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
  const result = new Float64Array(size(kept));
  const strides = stridesOf(kept).map((stride, axis) => (axes.includes(axis) ? 0 : stride));
  const places = gather(
    Array.from({ length: result.length }, (_, i) => i),
    broadcast(value.shape),
    strides,
  );
  for (const [i, number] of numbers(value).entries()) result[places[i]!]! += number;
  return result;
}
