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
