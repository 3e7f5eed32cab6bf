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

/** A new array of zeros. */
export function zeros(dtype: string, length: number): Tensor['data'] {
  return dtype === 'int32' ? new Int32Array(length) : new Float32Array(length);
}

/** These rows (indices along dimension 0, in this order) in an array of their own. */
export function takeRows({ dtype, shape, data }: Tensor, rows: readonly number[]): Tensor {
  const rest = shape.slice(1);
  const size = sizeOf(rest);
  const taken = zeros(dtype, rows.length * size);
  rows.forEach((row, i) => {
    taken.set(data.subarray(row * size, (row + 1) * size), i * size);
  });
  return { dtype, shape: [rows.length, ...rest], data: taken };
}

/** One tensor of all rows, in order. At least one part; the shapes differ in dimension 0 alone. */
export function concatenate(parts: readonly Tensor[]): Tensor {
  const [first] = parts;
  if (parts.length === 1) return first!;
  const { dtype, shape } = first!;
  const whole = [parts.reduce((rows, part) => rows + part.shape[0]!, 0), ...shape.slice(1)];
  const data = zeros(dtype, sizeOf(whole));
  let offset = 0;
  for (const part of parts) {
    data.set(part.data, offset);
    offset += part.data.length;
  }
  return { dtype, shape: whole, data };
}
