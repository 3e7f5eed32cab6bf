// The one array type that crosses every seam: sessions, executors, workers, the wire.

export type DataType = 'float32' | 'int32';

/** A row-major array; `data.length` is the product of `shape`. */
export interface Tensor {
  readonly dtype: DataType;
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>;
}

/** Tensors by port name. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** A float32 tensor of these values. */
export function float32(shape: readonly number[], data: ArrayLike<number>): Tensor {
  return { dtype: 'float32', shape, data: data instanceof Float32Array ? ownBuffer(data) : Float32Array.from(data) };
}

/** An int32 tensor of these values. */
export function int32(shape: readonly number[], data: ArrayLike<number>): Tensor {
  return { dtype: 'int32', shape, data: Int32Array.from(data) };
}

function ownBuffer(data: Float32Array): Float32Array<ArrayBuffer> {
  return data.buffer instanceof ArrayBuffer ? (data as Float32Array<ArrayBuffer>) : Float32Array.from(data); // checked
}

/** Numbers that a shape holds; 1 for a scalar. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
