// Small parameters as one: an update of some hundred of them takes longer to start its operators than to compute.
import type { Tensor } from '@tensorflow/tfjs';
import { size } from '../graph/types.js';
import type { Variable } from '../nn/variable.js';
import { tf } from '../trace/tensorflow.js';

/** Numbers of a tensor that is worth operators of its own. */
const LARGE = 2 ** 15;

/** What an update reads and assigns. */
export interface Cell {
  readonly value: Tensor;
  assign(value: Tensor): void;
}

/** Variables as an update sees them: those that are small as one [n], then each of the others. Those of equal shapes are packed alike. */
export function packed(variables: readonly Variable[]): Cell[] {
  const { small, others } = grouped(variables);
  return small.length < 2 ? [...variables] : [new Pack(small), ...others];
}

/** Tensors in the order of variables, as the cells of those take them. What is joined already stays as it is. */
export function joined(tensors: readonly Tensor[]): Tensor[] {
  const { small, others } = grouped(tensors);
  return small.length < 2 ? [...tensors] : [flatten(small), ...others];
}

/** All numbers in one row. */
export function flatten(tensors: readonly Tensor[]): Tensor {
  return tf.concat(tensors.map(tensor => (tensor.rank === 1 ? tensor : tf.reshape(tensor, [-1]))));
}

/** The inverse of `flatten`, for tensors of these shapes. */
export function unflatten(flat: Tensor, shapes: readonly (readonly number[])[]): Tensor[] {
  const parts = tf.split(flat, shapes.map(size));
  return shapes.map((shape, index) => (shape.length === 1 ? parts[index]! : tf.reshape(parts[index]!, [...shape])));
}

class Pack implements Cell {
  constructor(private readonly variables: readonly Variable[]) {}

  get value(): Tensor {
    return flatten(this.variables.map(({ value }) => value));
  }

  assign(value: Tensor): void {
    const parts = unflatten(
      value,
      this.variables.map(({ shape }) => shape),
    );
    for (const [index, variable] of this.variables.entries()) variable.assign(parts[index]!);
  }
}

function grouped<Item extends { readonly shape: readonly number[] }>(items: readonly Item[]) {
  const isSmall = ({ shape }: Item) => size(shape) < LARGE;
  return { small: items.filter(isSmall), others: items.filter(item => !isSmall(item)) };
}
