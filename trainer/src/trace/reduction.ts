// Kernels that combine the elements along axes: sums, extremes, arg-extremes, cumulative sums, softmax.
import type { Value } from '../graph/types.js';
import { asFloat, cast } from './elementwise.js';
import type { KernelCall, KernelGroup, KernelMapping } from './kernel.js';
import { frontAxis } from './shape.js';

function axesOf(call: KernelCall, x: Value): number[] {
  // Max alone calls them reductionIndices
  const name = call.kernel === 'Max' ? 'reductionIndices' : 'axis';
  const axes = call.attributes[name];
  if (axes === undefined || axes === null) return x.shape.map((_, index) => index);
  return call
    .numbers(name)
    .map(each => frontAxis(each, x.shape.length))
    .sort((a, b) => a - b);
}

const reduce =
  (operator: string): KernelMapping =>
  call => {
    const x = call.input('x');
    return call.builder.emit(operator, [x], { axes: axesOf(call, x), keepdims: call.flag('keepDims') ? 1 : 0 });
  };

/** All and Any as extremes of integers. */
const logical =
  (operator: string): KernelMapping =>
  call => {
    const x = cast(call.builder, call.input('x'), 'int32');
    const attributes = { axes: axesOf(call, x), keepdims: call.flag('keepDims') ? 1 : 0 };
    return cast(call.builder, call.builder.emit(operator, [x], attributes), 'bool');
  };

const argument =
  (operator: string): KernelMapping =>
  call => {
    const x = call.input('x');
    const axis = frontAxis(call.number('axis'), x.shape.length);
    return cast(call.builder, call.builder.emit(operator, [x], { axis, keepdims: 0 }), 'int32');
  };

export const reduction: KernelGroup = {
  All: logical('ReduceMin'),
  Any: logical('ReduceMax'),
  ArgMax: argument('ArgMax'),
  ArgMin: argument('ArgMin'),
  Cumsum: call => {
    const x = call.input('x');
    return call.builder.emit('CumSum', [x], {
      axis: frontAxis(call.number('axis'), x.shape.length),
      exclusive: call.flag('exclusive') ? 1 : 0,
      reverse: call.flag('reverse') ? 1 : 0,
    });
  },
  Cumprod: call => {
    // a running product by doubling the reach: log2(length) products of shifted copies
    const { builder } = call;
    const x = call.input('x');
    const axis = frontAxis(call.number('axis'), x.shape.length);
    const length = x.shape[axis]!;
    const backwards = call.flag('reverse');
    const shifted = (value: Value, by: number) => {
      const ones = builder.filled(1, x.type, x.shape.with(axis, Math.min(by, length)));
      if (by >= length) return ones;
      return backwards
        ? builder.emit('Concat', [builder.slice(value, axis, by, length), ones], { axis })
        : builder.emit('Concat', [ones, builder.slice(value, axis, 0, length - by)], { axis });
    };
    let value = x;
    for (let reach = 1; reach < length; reach *= 2) value = builder.emit('Mul', [value, shifted(value, reach)]);
    return call.flag('exclusive') ? shifted(value, 1) : value;
  },
  LogSoftmax: call => {
    const x = call.input('logits');
    return call.builder.emit('LogSoftmax', [x], { axis: x.shape.length - 1 });
  },
  Max: reduce('ReduceMax'),
  Mean: call => {
    const x = asFloat(call.builder, call.input('x'));
    return call.builder.emit('ReduceMean', [x], { axes: axesOf(call, x), keepdims: call.flag('keepDims') ? 1 : 0 });
  },
  Min: reduce('ReduceMin'),
  Prod: reduce('ReduceProd'),
  Softmax: call => {
    const x = call.input('logits');
    return call.builder.emit('Softmax', [x], { axis: frontAxis(call.number('dim'), x.shape.length) });
  },
  Sum: reduce('ReduceSum'),
  TopK: call => {
    const x = call.input('x');
    const attributes = { k: call.number('k'), axis: x.shape.length - 1, largest: 1, sorted: 1 };
    const [values, indices] = call.builder.emitMany('TopK', [x], attributes);
    return [values!, cast(call.builder, indices!, 'int32')];
  },
};
