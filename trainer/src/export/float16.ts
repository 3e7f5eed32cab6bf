// The float16 variant of a graph: its large weights stored at half precision, and cast back before use.
import { onnx } from '@genserve/proto/wire';

// TensorProto.DataType, whose field in onnx.proto is an integer.
const FLOAT = 1;
const FLOAT16 = 10;
const ALIGNMENT = 4096;

export interface HalfPrecision {
  /** Graphs in the order given. */
  readonly models: readonly Uint8Array<ArrayBuffer>[];
  /** Content of the variant's own weights.bin. */
  readonly weights: Uint8Array<ArrayBuffer>;
}

/** Graphs over one weights file, rewritten over one of half the size. Computation stays in float32. */
export function halfPrecision(models: readonly Uint8Array[], weights: Uint8Array): HalfPrecision {
  const store = new HalfStore(weights);
  const rewritten = models.map(bytes => {
    const model = onnx.ModelProto.decode(bytes);
    const { graph } = model;
    if (!graph) throw new Error('a model without a graph');
    const casts: onnx.NodeProto[] = [];
    const initializer = graph.initializer.map(tensor => {
      if (tensor.dataType !== FLOAT || tensor.externalData.length === 0) return store.keep(tensor);
      const half = `${tensor.name}.float16`;
      casts.push(castToFloat(half, tensor.name ?? ''));
      return store.halve(tensor, half);
    });
    const changed = { ...model, graph: { ...graph, initializer, node: [...casts, ...graph.node] } };
    return Uint8Array.from(onnx.ModelProto.encode(changed).finish());
  });
  return { models: rewritten, weights: store.bytes() };
}

function castToFloat(input: string, output: string): onnx.NodeProto {
  const attribute: onnx.AttributeProto = {
    name: 'to',
    type: onnx.AttributeProto_AttributeType.INT,
    i: FLOAT,
    floats: [],
    ints: [],
    strings: [],
    tensors: [],
    graphs: [],
  };
  return {
    opType: 'Cast',
    input: [input],
    output: [output],
    name: `${output}/Cast`,
    attribute: [attribute],
    domain: '',
  };
}

/** Places tensors in the new file; one that several graphs share is stored once. */
class HalfStore {
  readonly #parts: { offset: number; bytes: Uint8Array }[] = [];
  readonly #offsets = new Map<number, number>();
  #length = 0;

  constructor(private readonly source: Uint8Array) {}

  /** `tensor` under another name, its values in float16. */
  halve(tensor: onnx.TensorProto, name: string): onnx.TensorProto {
    const { offset, length } = location(tensor);
    const place = this.#place(offset, () => toHalf(this.#floats(offset, length)));
    return { ...tensor, name, dataType: FLOAT16, externalData: entries(tensor, place, length / 2) };
  }

  /** `tensor` as it is, its external bytes copied over. */
  keep(tensor: onnx.TensorProto): onnx.TensorProto {
    if (tensor.externalData.length === 0) return tensor;
    const { offset, length } = location(tensor);
    const place = this.#place(offset, () => this.source.slice(offset, offset + length));
    return { ...tensor, externalData: entries(tensor, place, length) };
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const result = new Uint8Array(this.#length);
    for (const { offset, bytes } of this.#parts) result.set(bytes, offset);
    return result;
  }

  #floats(offset: number, length: number): Float32Array {
    return new Float32Array(this.source.slice(offset, offset + length).buffer);
  }

  #place(source: number, make: () => Uint8Array): number {
    const known = this.#offsets.get(source);
    if (known !== undefined) return known;
    const bytes = make();
    const offset = Math.ceil(this.#length / ALIGNMENT) * ALIGNMENT;
    this.#parts.push({ offset, bytes });
    this.#offsets.set(source, offset);
    this.#length = offset + bytes.length;
    return offset;
  }
}

function location(tensor: onnx.TensorProto): { offset: number; length: number } {
  const entry = (key: string) => Number(tensor.externalData.find(pair => pair.key === key)?.value ?? 0);
  return { offset: entry('offset'), length: entry('length') };
}

function entries(tensor: onnx.TensorProto, offset: number, length: number): onnx.StringStringEntryProto[] {
  const file = tensor.externalData.find(pair => pair.key === 'location');
  return [...(file ? [file] : []), { key: 'offset', value: String(offset) }, { key: 'length', value: String(length) }];
}

/** IEEE 754 binary16, little-endian, rounded to nearest even; beyond its range the greatest finite value. */
export function toHalf(values: Float32Array): Uint8Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) halves[i] = halfBits(values[i]!, words[i]!);
  return new Uint8Array(halves.buffer);
}

function halfBits(value: number, word: number): number {
  const sign = (word >>> 16) & 0x8000;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (magnitude >= 65520) return sign | 0x7bff;
  // Below the least normal number the unit is 2^-24; above, 11 significant bits.
  if (magnitude < 2 ** -14) return sign | roundHalfEven(magnitude * 2 ** 24);
  const exponent = (word >>> 23) & 0xff;
  const mantissa = roundHalfEven((word & 0x7fffff) / 2 ** 13);
  // A mantissa that rounds up to 1024 carries into the exponent by itself.
  return sign | (((exponent - 112) << 10) + mantissa);
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
