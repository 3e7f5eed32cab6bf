// The intermediate representation: an ONNX graph as plain objects. Integer operands (shapes, axes, starts) are attributes here and
// become constant inputs when written, so that passes and the batch analysis see numbers instead of tensors.

export type ElementType = 'float32' | 'int32' | 'int64' | 'bool';
export type Elements = Float32Array | Int32Array | BigInt64Array | Uint8Array;

/** A nested graph (the body of a `Loop`) is an attribute too; it may use values of the graphs around it. */
export type Attribute = number | string | readonly number[] | Graph;
export type Attributes = Readonly<Record<string, Attribute>>;

/** One tensor: an input of the graph, a constant, or an output of a node. */
export interface Value {
  /** Unique within the process; orders values by age. */
  readonly id: number;
  readonly type: ElementType;
  readonly shape: readonly number[];
  /** Given to inputs and to constants made from variables. */
  readonly name?: string | undefined;
  /** Name of the model's variable that it carries or was computed from ahead. */
  readonly variable?: string | undefined;
  /** Present for constants. Row-major. */
  readonly data?: Elements | undefined;
  /** Present for outputs of nodes. */
  readonly node?: Node | undefined;
}

/** Where operators that are not ONNX's own come from. */
export type Domain = '' | 'com.microsoft' | 'com.microsoft.nchwc';

export interface Node {
  readonly operator: string;
  /** undefined: an optional input left out. */
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: Attributes;
  readonly outputs: readonly Value[];
  /** Module path that the node was recorded in, e.g. 'encoder/conv1'. */
  readonly path: string;
}

export interface Output {
  readonly name: string;
  readonly value: Value;
}

export interface Graph {
  readonly name: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Output[];
  /** In topological order. */
  readonly nodes: readonly Node[];
}

export const size = (shape: readonly number[]): number => shape.reduce((product, extent) => product * extent, 1);

export const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((extent, axis) => extent === b[axis]);
