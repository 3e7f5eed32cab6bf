// Types and shapes of an operator's outputs. Attributes hold the integer operands (see types.ts).
import { GenserveError } from '@genserve/runtime';
import type { Attributes, Domain, ElementType, Graph, Value } from './types.js';
import { size } from './types.js';

export interface OutputType {
  readonly type: ElementType;
  readonly shape: readonly number[];
}

type Inputs = readonly (Value | undefined)[];
type Rule = (inputs: Inputs, attributes: Attributes) => OutputType | readonly OutputType[];

/** Codes of TensorProto.DataType. */
export const TYPE_CODES = { float32: 1, int32: 6, int64: 7, bool: 9 } as const satisfies Record<ElementType, number>;

/** Operators that are not ONNX's own, or have another name there. */
const FOREIGN: Readonly<Record<string, { readonly domain: Domain; readonly name: string }>> = {
  FusedMatMul: { domain: 'com.microsoft', name: 'FusedMatMul' },
  BlockedConv: { domain: 'com.microsoft.nchwc', name: 'Conv' },
  ReorderInput: { domain: 'com.microsoft.nchwc', name: 'ReorderInput' },
  ReorderOutput: { domain: 'com.microsoft.nchwc', name: 'ReorderOutput' },
};

/** What an operator of this representation is called in a model file. */
export const onnxOperator = (operator: string): { readonly domain: Domain; readonly name: string } =>
  FOREIGN[operator] ?? { domain: '', name: operator };

/** Output types of one node. Throws INTERNAL for operators and shapes that do not fit: a mapping is wrong then. */
export function infer(operator: string, inputs: Inputs, attributes: Attributes): readonly OutputType[] {
  const rule = RULES[operator];
  if (!rule) throw new GenserveError('INTERNAL', `the graph has no shape rule for the ONNX operator ${operator}`);
  const outputs = rule(inputs, attributes);
  return 'type' in outputs ? [outputs] : outputs;
}

/** The shape that `shapes` have together under NumPy's broadcasting. */
export function broadcast(...shapes: (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map(shape => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    let extent = 1;
    for (const shape of shapes) {
      const own = shape[axis - rank + shape.length] ?? 1;
      if (own !== 1 && extent !== 1 && own !== extent) {
        throw new GenserveError('INTERNAL', `shapes ${shapes.map(each => `[${each}]`).join(' and ')} do not broadcast`);
      }
      if (own !== 1) extent = own;
    }
    return extent;
  });
}

// Attributes by name, read with the type that the mapping gave them.
export const ints = (attributes: Attributes, name: string): readonly number[] => {
  const value = attributes[name];
  if (!Array.isArray(value)) throw new GenserveError('INTERNAL', `attribute ${name} should be a list of integers`);
  return value;
};
export const integer = (attributes: Attributes, name: string, fallback?: number): number => {
  const value = attributes[name] ?? fallback;
  if (typeof value !== 'number') throw new GenserveError('INTERNAL', `attribute ${name} should be a number`);
  return value;
};

const at = (inputs: Inputs, index: number): Value => {
  const value = inputs[index];
  if (!value) throw new GenserveError('INTERNAL', `input ${index} is missing`);
  return value;
};

const like: Rule = inputs => ({ type: at(inputs, 0).type, shape: at(inputs, 0).shape });
const predicate: Rule = inputs => ({ type: 'bool', shape: at(inputs, 0).shape });
const shapes = (inputs: Inputs) => inputs.flatMap(value => (value ? [value.shape] : []));
const elementwise: Rule = inputs => ({ type: at(inputs, 0).type, shape: broadcast(...shapes(inputs)) });
const comparison: Rule = inputs => ({ type: 'bool', shape: broadcast(...shapes(inputs)) });

const reduction: Rule = (inputs, attributes) => {
  const { type, shape } = at(inputs, 0);
  const axes = ints(attributes, 'axes');
  return integer(attributes, 'keepdims') === 1
    ? { type, shape: shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent)) }
    : { type, shape: shape.filter((_, axis) => !axes.includes(axis)) };
};

const argument: Rule = (inputs, attributes) => {
  const axis = integer(attributes, 'axis');
  return { type: 'int64', shape: at(inputs, 0).shape.filter((_, index) => index !== axis) };
};

const matrixProduct: Rule = (inputs, attributes) => {
  const flip = (shape: readonly number[], transposed: number) =>
    transposed === 1 ? [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!] : shape;
  const a = flip(at(inputs, 0).shape, integer(attributes, 'transA', 0));
  const b = flip(at(inputs, 1).shape, integer(attributes, 'transB', 0));
  if (a.length < 2 || b.length < 2 || a.at(-1) !== b.at(-2)) {
    throw new GenserveError('INTERNAL', `matrices [${a}] and [${b}] cannot be multiplied`);
  }
  return {
    type: at(inputs, 0).type,
    shape: [...broadcast(a.slice(0, -2), b.slice(0, -2)), a.at(-2)!, b.at(-1)!],
  };
};

const slice: Rule = (inputs, attributes) => {
  const { type, shape } = at(inputs, 0);
  const [starts, ends, axes, steps] = ['starts', 'ends', 'axes', 'steps'].map(name => ints(attributes, name));
  const result = [...shape];
  for (const [index, axis] of axes!.entries()) {
    const extent = shape[axis]!;
    const step = steps![index]!;
    const clamp = (position: number, low: number, high: number) =>
      Math.min(Math.max(position < 0 ? position + extent : position, low), high);
    result[axis] =
      step > 0
        ? Math.max(0, Math.ceil((clamp(ends![index]!, 0, extent) - clamp(starts![index]!, 0, extent)) / step))
        : Math.max(0, Math.ceil((clamp(starts![index]!, -1, extent - 1) - sliceEnd(ends![index]!, extent)) / -step));
  }
  return { type, shape: result };
};

/** With a negative step an end below -extent means "through the first element". */
const sliceEnd = (end: number, extent: number) => (end < -extent ? -1 : Math.min(end < 0 ? end + extent : end, extent));

const convolution: Rule = (inputs, attributes) => {
  const { type, shape } = at(inputs, 0);
  const weights = at(inputs, 1).shape;
  const [strides, pads, dilations] = ['strides', 'pads', 'dilations'].map(name => ints(attributes, name));
  const spatial = shape.slice(2).map((extent, axis) => {
    const reach = dilations![axis]! * (weights[axis + 2]! - 1) + 1;
    return Math.floor((extent + pads![axis]! + pads![axis + shape.length - 2]! - reach) / strides![axis]!) + 1;
  });
  return { type, shape: [shape[0]!, weights[0]!, ...spatial] };
};

const transposedConvolution: Rule = (inputs, attributes) => {
  const { type, shape } = at(inputs, 0);
  const weights = at(inputs, 1).shape;
  const [strides, pads, dilations, extra] = ['strides', 'pads', 'dilations', 'output_padding'].map(name =>
    ints(attributes, name),
  );
  const spatial = shape.slice(2).map((extent, axis) => {
    const reach = dilations![axis]! * (weights[axis + 2]! - 1) + 1;
    const cut = pads![axis]! + pads![axis + shape.length - 2]!;
    return strides![axis]! * (extent - 1) + extra![axis]! + reach - cut;
  });
  return { type, shape: [shape[0]!, weights[1]! * integer(attributes, 'group', 1), ...spatial] };
};

const pooling: Rule = (inputs, attributes) => {
  const { type, shape } = at(inputs, 0);
  const [kernel, strides, pads] = ['kernel_shape', 'strides', 'pads'].map(name => ints(attributes, name));
  const spatial = shape
    .slice(2)
    .map(
      (extent, axis) =>
        Math.floor((extent + pads![axis]! + pads![axis + shape.length - 2]! - kernel![axis]!) / strides![axis]!) + 1,
    );
  return { type, shape: [shape[0]!, shape[1]!, ...spatial] };
};

const loop: Rule = (inputs, attributes) => {
  // The emitter puts a Graph there; anything else is its fault.
  const body = attributes.body as Graph;
  const trips = integer(attributes, 'trips');
  const carried = inputs.length - 2;
  // The body's first output is the condition, then the carried values, then what is stacked over iterations.
  return body.outputs
    .slice(1)
    .map(({ value }, index) =>
      index < carried ? { type: value.type, shape: value.shape } : { type: value.type, shape: [trips, ...value.shape] },
    );
};

const RULES: Readonly<Record<string, Rule>> = {
  ...all(['Add', 'Sub', 'Mul', 'Div', 'Pow', 'Max', 'Min', 'Mod', 'PRelu', 'And', 'Or', 'Xor'], elementwise),
  ...all(['Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'Equal'], comparison),
  ...all(['Abs', 'Neg', 'Exp', 'Log', 'Sqrt', 'Reciprocal', 'Sign', 'Floor', 'Ceil', 'Round', 'Erf', 'Not'], like),
  ...all(['Relu', 'LeakyRelu', 'Elu', 'Selu', 'Sigmoid', 'Tanh', 'Softplus', 'HardSigmoid', 'Identity'], like),
  ...all(['Sin', 'Cos', 'Tan', 'Asin', 'Acos', 'Atan', 'Sinh', 'Cosh', 'Asinh', 'Acosh', 'Atanh'], like),
  ...all(['Softmax', 'LogSoftmax', 'CumSum', 'Clip', 'Trilu', 'ScatterElements', 'ScatterND'], like),
  ...all(['IsNaN', 'IsInf'], predicate),
  ...all(['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceProd', 'ReduceSumSquare'], reduction),
  ...all(['ArgMax', 'ArgMin'], argument),
  ...all(['MatMul', 'Gemm', 'FusedMatMul'], matrixProduct),
  ...all(['AveragePool', 'MaxPool'], pooling),
  Where: inputs => ({ type: at(inputs, 1).type, shape: broadcast(...shapes(inputs)) }),
  Cast: (inputs, attributes) => {
    const code = integer(attributes, 'to');
    const type = (Object.keys(TYPE_CODES) as ElementType[]).find(each => TYPE_CODES[each] === code);
    if (!type) throw new GenserveError('INTERNAL', `cast to unknown type ${code}`);
    return { type, shape: at(inputs, 0).shape };
  },
  Reshape: (inputs, attributes) => {
    const { type, shape } = at(inputs, 0);
    const target = ints(attributes, 'shape');
    if (size(shape) !== size(target)) {
      throw new GenserveError('INTERNAL', `[${shape}] cannot be reshaped to [${target}]`);
    }
    return { type, shape: target };
  },
  Expand: (inputs, attributes) => ({
    type: at(inputs, 0).type,
    shape: broadcast(at(inputs, 0).shape, ints(attributes, 'shape')),
  }),
  Transpose: (inputs, attributes) => {
    const { type, shape } = at(inputs, 0);
    return { type, shape: ints(attributes, 'perm').map(axis => shape[axis]!) };
  },
  Slice: slice,
  Pad: (inputs, attributes) => {
    const { type, shape } = at(inputs, 0);
    const pads = ints(attributes, 'pads');
    return { type, shape: shape.map((extent, axis) => extent + pads[axis]! + pads[axis + shape.length]!) };
  },
  Tile: (inputs, attributes) => {
    const { type, shape } = at(inputs, 0);
    const repeats = ints(attributes, 'repeats');
    return { type, shape: shape.map((extent, axis) => extent * repeats[axis]!) };
  },
  Concat: (inputs, attributes) => {
    const { type, shape } = at(inputs, 0);
    const axis = integer(attributes, 'axis');
    const total = inputs.reduce((sum, value) => sum + (value?.shape[axis] ?? 0), 0);
    return { type, shape: shape.map((extent, index) => (index === axis ? total : extent)) };
  },
  Split: (inputs, attributes) => {
    const { type, shape } = at(inputs, 0);
    const axis = integer(attributes, 'axis');
    return ints(attributes, 'split').map(part => ({
      type,
      shape: shape.map((extent, index) => (index === axis ? part : extent)),
    }));
  },
  Gather: (inputs, attributes) => {
    const { type, shape } = at(inputs, 0);
    const axis = integer(attributes, 'axis');
    return { type, shape: [...shape.slice(0, axis), ...at(inputs, 1).shape, ...shape.slice(axis + 1)] };
  },
  GatherElements: inputs => ({ type: at(inputs, 0).type, shape: at(inputs, 1).shape }),
  GatherND: (inputs, attributes) => {
    const { type, shape } = at(inputs, 0);
    const indices = at(inputs, 1).shape;
    const leading = integer(attributes, 'batch_dims', 0) + indices.at(-1)!;
    return { type, shape: [...indices.slice(0, -1), ...shape.slice(leading)] };
  },
  OneHot: (inputs, attributes) => {
    const { shape } = at(inputs, 0);
    return { type: at(inputs, 2).type, shape: [...shape, integer(attributes, 'depth')] };
  },
  TopK: (inputs, attributes) => {
    const { type, shape } = at(inputs, 0);
    const result = [...shape.slice(0, -1), integer(attributes, 'k')];
    return [
      { type, shape: result },
      { type: 'int64', shape: result },
    ];
  },
  Conv: convolution,
  // in onnxruntime's blocked layout, whose shapes are written as if it were [batch, channels, height, width]
  BlockedConv: convolution,
  ReorderInput: (inputs, attributes) => {
    const { type, shape } = at(inputs, 0);
    const block = integer(attributes, 'block');
    const whole = (channels: number) => Math.ceil(channels / block) * block;
    const [batch, a, b, c] = shape as [number, number, number, number];
    const last = integer(attributes, 'channels_last') === 1;
    return { type, shape: last ? [batch, whole(c), a, b] : [batch, whole(a), b, c] };
  },
  ReorderOutput: (inputs, attributes) => {
    const { type, shape } = at(inputs, 0);
    const [batch, , height, width] = shape;
    const channels = integer(attributes, 'channels');
    const last = integer(attributes, 'channels_last') === 1;
    return { type, shape: last ? [batch!, height!, width!, channels] : [batch!, channels, height!, width!] };
  },
  ConvTranspose: transposedConvolution,
  // x and dy in ONNX's layout -> [height, width, in, out]
  FilterGradient: (inputs, attributes) => ({
    type: at(inputs, 0).type,
    shape: [...ints(attributes, 'kernel_shape'), at(inputs, 0).shape[1]!, at(inputs, 1).shape[1]!],
  }),
  DepthToSpace: (inputs, attributes) => {
    const { type, shape } = at(inputs, 0);
    const block = integer(attributes, 'blocksize');
    return { type, shape: [shape[0]!, shape[1]! / block ** 2, shape[2]! * block, shape[3]! * block] };
  },
  Loop: loop,
};

function all(operators: readonly string[], rule: Rule): Record<string, Rule> {
  return Object.fromEntries(operators.map(operator => [operator, rule]));
}
