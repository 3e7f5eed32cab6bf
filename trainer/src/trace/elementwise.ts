// Kernels that work on each element: arithmetic, comparison, selection, activation, casts, fills.
import { elements, type GraphBuilder } from '../graph/builder.js';
import { broadcast, TYPE_CODES } from '../graph/infer.js';
import type { ElementType, Value } from '../graph/types.js';
import type { KernelCall, KernelGroup, KernelMapping } from './kernel.js';

const unary =
  (operator: string): KernelMapping =>
  call =>
    call.builder.emit(operator, [call.input('x')]);

const binary =
  (operator: string): KernelMapping =>
  call =>
    call.builder.emit(operator, [call.input('a'), call.input('b')]);

/** Through float32, for operators that onnxruntime has for floats only. */
const floatUnary =
  (operator: string): KernelMapping =>
  call =>
    call.builder.emit(operator, [asFloat(call.builder, call.input('x'))]);

export const asFloat = (builder: GraphBuilder, value: Value): Value => cast(builder, value, 'float32');

export function cast(builder: GraphBuilder, value: Value, type: ElementType): Value {
  return value.type === type ? value : builder.emit('Cast', [value], { to: TYPE_CODES[type] });
}

/** A scalar of the same type as `value`. */
export const like = (builder: GraphBuilder, value: Value, number: number): Value => builder.scalar(number, value.type);

const logical =
  (operator: string): KernelMapping =>
  call =>
    call.builder.emit(operator, [
      cast(call.builder, call.input('a'), 'bool'),
      cast(call.builder, call.input('b'), 'bool'),
    ]);

/** Comparisons of booleans go through integers: onnxruntime orders numbers only. */
const comparison =
  (operator: string): KernelMapping =>
  call => {
    const { builder } = call;
    const [a, b] = [call.input('a'), call.input('b')].map(value =>
      value.type === 'bool' ? cast(builder, value, 'int32') : value,
    );
    return builder.emit(operator, [a, b]);
  };

const log1p = (builder: GraphBuilder, x: Value): Value =>
  builder.emit('Log', [builder.emit('Add', [x, like(builder, x, 1)])]);

export function elementType(call: KernelCall, dtype: unknown): ElementType {
  if (dtype === 'float32' || dtype === 'int32' || dtype === 'bool') return dtype;
  throw call.unsupported(`dtype ${String(dtype)}`);
}

// Klambauer et al. 2017, Self-Normalizing Neural Networks, eq. 2 and 14; tfjs rounds them the same way.
const SELU = { alpha: 1.6732632423543772, gamma: 1.0507009873554805 };

/**
 * max(x, 0) and e^min(x, 0) - 1, of which Elu and Selu are made. onnxruntime's own Elu gives the last bits of a row by
 * where its threads part the batch, and a sample may not depend on what it is batched with.
 */
function eluParts(builder: GraphBuilder, x: Value): [above: Value, below: Value] {
  const exponential = builder.emit('Exp', [builder.emit('Min', [x, builder.scalar(0)])]);
  return [builder.emit('Relu', [x]), builder.emit('Sub', [exponential, builder.scalar(1)])];
}

export const elementwise: KernelGroup = {
  Abs: unary('Abs'),
  Acos: unary('Acos'),
  Acosh: unary('Acosh'),
  Add: binary('Add'),
  AddN: call => call.list().reduce((sum, value) => call.builder.emit('Add', [sum, value])),
  Asin: unary('Asin'),
  Asinh: unary('Asinh'),
  Atan: unary('Atan'),
  Atanh: unary('Atanh'),
  Cast: call => {
    const x = call.input('x');
    const type = elementType(call, call.attributes.dtype);
    // tfjs truncates towards zero as ONNX does
    return cast(call.builder, x, type);
  },
  Ceil: unary('Ceil'),
  ClipByValue: call => {
    const x = call.input('x');
    const { builder } = call;
    return builder.emit('Min', [
      builder.emit('Max', [x, like(builder, x, call.number('clipValueMin'))]),
      like(builder, x, call.number('clipValueMax')),
    ]);
  },
  Cos: unary('Cos'),
  Cosh: unary('Cosh'),
  Elu: call => call.builder.emit('Add', eluParts(call.builder, call.input('x'))),
  EluGrad: call => {
    // y > 0 ? dy : dy * (y + 1)
    const { builder } = call;
    const [dy, y] = [call.input('dy'), call.input('y')];
    const slope = builder.emit('Add', [builder.emit('Min', [y, builder.scalar(0)]), builder.scalar(1)]);
    return builder.emit('Mul', [dy, slope]);
  },
  Equal: comparison('Equal'),
  Erf: unary('Erf'),
  Exp: unary('Exp'),
  Expm1: call => {
    const { builder } = call;
    return builder.emit('Sub', [builder.emit('Exp', [call.input('x')]), builder.scalar(1)]);
  },
  Fill: call =>
    call.builder.filled(
      call.number('value'),
      elementType(call, call.attributes.dtype ?? 'float32'),
      call.numbers('shape'),
    ),
  Floor: unary('Floor'),
  FloorDiv: call => {
    const { builder } = call;
    const [a, b] = [call.input('a'), call.input('b')];
    const quotient = builder.emit('Floor', [builder.emit('Div', [asFloat(builder, a), asFloat(builder, b)])]);
    return cast(builder, quotient, 'int32');
  },
  FusedBatchNorm: call => {
    const { builder } = call;
    const variance = builder.emit('Add', [call.input('variance'), builder.scalar(call.number('varianceEpsilon'))]);
    const deviation = builder.emit('Sqrt', [variance]);
    const scale = call.inputs.scale
      ? builder.emit('Div', [call.inputs.scale, deviation])
      : builder.emit('Reciprocal', [deviation]);
    const scaled = builder.emit('Mul', [builder.emit('Sub', [call.input('x'), call.input('mean')]), scale]);
    return call.inputs.offset ? builder.emit('Add', [scaled, call.inputs.offset]) : scaled;
  },
  Greater: comparison('Greater'),
  GreaterEqual: comparison('GreaterOrEqual'),
  Identity: call => call.input('x'),
  IsFinite: call => {
    const { builder } = call;
    const x = call.input('x');
    return builder.emit('Less', [builder.emit('Abs', [x]), builder.scalar(Number.POSITIVE_INFINITY)]);
  },
  IsInf: unary('IsInf'),
  IsNan: unary('IsNaN'),
  LeakyRelu: call => call.builder.emit('LeakyRelu', [call.input('x')], { alpha: call.number('alpha') }),
  Less: comparison('Less'),
  LessEqual: comparison('LessOrEqual'),
  LinSpace: call => {
    const [start, stop, count] = [call.number('start'), call.number('stop'), call.number('num')];
    const step = (stop - start) / (count - 1);
    return call.builder.constant(
      Float32Array.from({ length: count }, (_, i) => start + i * step),
      'float32',
      [count],
    );
  },
  Log: unary('Log'),
  Log1p: call => log1p(call.builder, call.input('x')),
  LogicalAnd: logical('And'),
  LogicalNot: unary('Not'),
  LogicalOr: logical('Or'),
  LogicalXor: logical('Xor'),
  Maximum: binary('Max'),
  Minimum: binary('Min'),
  Mod: call => {
    // tfjs: the result has the divisor's sign
    const { builder } = call;
    const [a, b] = [call.input('a'), call.input('b')];
    if (a.type === 'int32') return builder.emit('Mod', [a, b], { fmod: 0 });
    const quotient = builder.emit('Floor', [builder.emit('Div', [a, b])]);
    return builder.emit('Sub', [a, builder.emit('Mul', [quotient, b])]);
  },
  Multiply: binary('Mul'),
  Neg: unary('Neg'),
  NotEqual: call => call.builder.emit('Not', [comparison('Equal')(call) as Value]),
  OnesLike: call => call.builder.filled(1, call.input('x').type, call.input('x').shape),
  Pow: call => {
    const { builder } = call;
    const [a, b] = [call.input('a'), call.input('b')];
    return builder.emit('Pow', [a, b]);
  },
  Prelu: call => call.builder.emit('PRelu', [call.input('x'), call.input('alpha')]),
  Range: call => {
    const [start, stop, step] = [call.number('start'), call.number('stop'), call.number('step')];
    const count = Math.max(0, Math.ceil((stop - start) / step));
    const type = elementType(call, call.attributes.dtype ?? 'float32');
    return call.builder.constant(
      elements(
        type,
        Array.from({ length: count }, (_, i) => start + i * step),
      ),
      type,
      [count],
    );
  },
  RealDiv: call => {
    const { builder } = call;
    return builder.emit('Div', [asFloat(builder, call.input('a')), asFloat(builder, call.input('b'))]);
  },
  Reciprocal: unary('Reciprocal'),
  Relu: unary('Relu'),
  Relu6: call => {
    const { builder } = call;
    return builder.emit('Min', [builder.emit('Relu', [call.input('x')]), builder.scalar(6)]);
  },
  Round: unary('Round'),
  Rsqrt: call => call.builder.emit('Reciprocal', [call.builder.emit('Sqrt', [call.input('x')])]),
  Select: call => {
    const { builder } = call;
    const condition = cast(builder, call.input('condition'), 'bool');
    return builder.emit('Where', [condition, call.input('t'), call.input('e')]);
  },
  Selu: call => {
    // gamma max(x, 0) + gamma alpha (e^min(x, 0) - 1)
    const { builder } = call;
    const x = call.input('x');
    const [above, below] = eluParts(builder, x);
    const scaled = builder.emit('Mul', [below, builder.scalar(SELU.alpha)]);
    return builder.emit('Mul', [builder.emit('Add', [above, scaled]), builder.scalar(SELU.gamma)]);
  },
  Sigmoid: unary('Sigmoid'),
  Sign: unary('Sign'),
  Sin: unary('Sin'),
  Sinh: unary('Sinh'),
  Softplus: unary('Softplus'),
  Sqrt: floatUnary('Sqrt'),
  Square: call => call.builder.emit('Mul', [call.input('x'), call.input('x')]),
  SquaredDifference: call => {
    const difference = call.builder.emit('Sub', [call.input('a'), call.input('b')]);
    return call.builder.emit('Mul', [difference, difference]);
  },
  Step: call => {
    // x > 0 ? 1 : alpha
    const { builder } = call;
    const x = call.input('x');
    const positive = builder.emit('Greater', [x, like(builder, x, 0)]);
    const alpha = call.attributes.alpha === undefined ? 0 : call.number('alpha');
    return alpha === 0
      ? cast(builder, positive, 'float32')
      : builder.emit('Where', [positive, builder.scalar(1), builder.scalar(alpha)]);
  },
  Sub: binary('Sub'),
  Tan: unary('Tan'),
  Tanh: unary('Tanh'),
  Atan2: call => {
    // atan(a / b), moved by pi into the quadrant of (b, a)
    const { builder } = call;
    const [a, b] = [call.input('a'), call.input('b')];
    const zero = builder.scalar(0);
    const shape = broadcast(a.shape, b.shape);
    const half = builder.scalar(Math.PI / 2);
    const turn = builder.emit('Where', [
      builder.emit('GreaterOrEqual', [a, zero]),
      builder.scalar(Math.PI),
      builder.scalar(-Math.PI),
    ]);
    const angle = builder.emit('Atan', [builder.emit('Div', [a, b])]);
    const left = builder.emit('Where', [builder.emit('Less', [b, zero]), builder.emit('Add', [angle, turn]), angle]);
    const vertical = builder.emit('Mul', [builder.emit('Sign', [a]), half]);
    return builder.expand(builder.emit('Where', [builder.emit('Equal', [b, zero]), vertical, left]), shape);
  },
  ZerosLike: call => call.builder.filled(0, call.input('x').type, call.input('x').shape),
};
