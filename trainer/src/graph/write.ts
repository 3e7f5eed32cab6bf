// Graphs to ONNX bytes: opset 17, IR version 8. Integer attributes that ONNX wants as inputs become constants here.
import { onnx } from '@genserve/proto/wire';
import { GenserveError } from '@genserve/runtime';
import type { Dimension, SymbolicBatch } from './batch.js';
import { onnxOperator, TYPE_CODES } from './infer.js';
import { isGraph } from './rewrite.js';
import type { Attribute, Elements, Graph, Node, Value } from './types.js';

const { INT, INTS, FLOAT, STRING, GRAPH } = onnx.AttributeProto_AttributeType;

/** Initialisers of this size and more go into the shared weights file (contract, section 1). */
export const EXTERNAL_BYTES = 1024;
const ALIGNMENT = 4096;
export const WEIGHTS_FILE = 'weights.bin';

/** Attributes of this representation that are inputs of the ONNX operator, in order from `first`. */
const OPERANDS: Readonly<Record<string, { first: number; names: readonly string[] }>> = {
  Reshape: { first: 1, names: ['shape'] },
  Expand: { first: 1, names: ['shape'] },
  Tile: { first: 1, names: ['repeats'] },
  Slice: { first: 1, names: ['starts', 'ends', 'axes', 'steps'] },
  Pad: { first: 1, names: ['pads'] },
  Split: { first: 1, names: ['split'] },
  ReduceSum: { first: 1, names: ['axes'] },
  CumSum: { first: 1, names: ['axis'] },
  TopK: { first: 1, names: ['k'] },
  Trilu: { first: 1, names: ['k'] },
};
/** Operands that are scalars, not lists. */
const SCALAR_OPERANDS = new Set(['CumSum', 'Trilu']);
/** Attributes for shape inference only. */
const INTERNAL: Readonly<Record<string, readonly string[]>> = {
  Loop: ['trips'],
  OneHot: ['depth'],
  ReorderInput: ['block'],
  ReorderOutput: ['block'],
};
const FLOATS = new Set(['alpha', 'beta', 'gamma', 'epsilon', 'momentum']);

/** Where initialisers lie in the weights file. One instance serves all graphs that share the file. */
export class Weights {
  readonly #placed = new Map<string, { data: Elements; offset: number }>();
  #length = 0;

  /** Offset and final name of a constant; equal content under one name is stored once. */
  place(name: string, data: Elements): { name: string; offset: number } {
    for (let copy = 1; ; copy++) {
      const unique = copy === 1 ? name : `${name}.${copy}`;
      const known = this.#placed.get(unique);
      if (known && !equalBytes(known.data, data)) continue;
      if (known) return { name: unique, offset: known.offset };
      const offset = Math.ceil(this.#length / ALIGNMENT) * ALIGNMENT;
      this.#placed.set(unique, { data, offset });
      this.#length = offset + data.byteLength;
      return { name: unique, offset };
    }
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const result = new Uint8Array(this.#length);
    for (const { data, offset } of this.#placed.values()) result.set(bytesOf(data), offset);
    return result;
  }
}

export interface WriteOptions {
  /** Absent: everything is inline. */
  readonly weights?: Weights | undefined;
  /** Absent: the graph has the batch size that it was recorded at. */
  readonly batch?: SymbolicBatch | undefined;
}

/** One model file. */
export function writeModel(graph: Graph, options: WriteOptions = {}): Uint8Array<ArrayBuffer> {
  const model = onnx.ModelProto.encode({
    irVersion: 8,
    producerName: 'genserve',
    producerVersion: '',
    graph: new GraphWriter(options).write(graph),
    opsetImport: opsets(graph),
    metadataProps: [],
  }).finish();
  return Uint8Array.from(model);
}

function opsets(graph: Graph): onnx.OperatorSetIdProto[] {
  const domains = new Set(['', 'com.microsoft']);
  for (const { operator } of graph.nodes) domains.add(onnxOperator(operator).domain);
  return [...domains].map(domain => ({ domain, version: domain === '' ? 17 : 1 }));
}

class GraphWriter {
  readonly #options: WriteOptions;
  readonly #names: Map<Value, string>;
  readonly #taken: Set<string>;
  #nodes: onnx.NodeProto[] = [];
  readonly #initialisers: onnx.TensorProto[];
  /** Helper values by what they hold, e.g. the constant of a shape. */
  readonly #helpers: Map<string, string>;

  constructor(options: WriteOptions, outer?: GraphWriter) {
    this.#options = options;
    // a nested graph sees the names around it, and onnxruntime refuses a name used inside and outside
    this.#names = outer ? outer.#names : new Map();
    this.#taken = outer ? outer.#taken : new Set();
    this.#initialisers = outer ? outer.#initialisers : [];
    this.#helpers = outer ? new Map(outer.#helpers) : new Map();
  }

  write(graph: Graph, nested = false): onnx.GraphProto {
    for (const { name } of graph.outputs) this.#taken.add(name);
    for (const input of graph.inputs)
      this.#names.set(input, nested ? this.#unique(input.name ?? 'in') : this.#claim(input));
    const named = new Set<Value>();
    for (const { name, value } of graph.outputs) {
      // an input or a constant cannot carry the output's name, nor one value two names: those are copied below
      if (!value.node || !graph.nodes.includes(value.node) || this.#names.has(value)) continue;
      this.#names.set(value, name);
      named.add(value);
    }
    for (const node of graph.nodes) this.#node(node);
    for (const { name, value } of graph.outputs) {
      if (this.#names.get(value) === name) continue;
      this.#nodes.push(proto('Identity', [this.#name(value)], [name], `${name}_copy`));
    }
    const type = (value: Value, name: string, nodeless: boolean) =>
      this.#valueInfo(name, value, nodeless || this.#dynamic(value));
    return {
      name: graph.name,
      node: this.#nodes,
      initializer: nested ? [] : this.#initialisers,
      input: graph.inputs.map(input => type(input, this.#name(input), false)),
      output: graph.outputs.map(({ name, value }) => type(value, name, false)),
      valueInfo: [],
    };
  }

  #claim(input: Value): string {
    const name = input.name ?? '';
    if (this.#taken.has(name)) {
      throw new GenserveError('INTERNAL', `two inputs or outputs of a graph are named '${name}'`);
    }
    this.#taken.add(name);
    return name;
  }

  #unique(name: string): string {
    for (let copy = 1; ; copy++) {
      const unique = copy === 1 ? name : `${name}_${copy}`;
      if (this.#taken.has(unique)) continue;
      this.#taken.add(unique);
      return unique;
    }
  }

  #dynamic(value: Value): boolean {
    return this.#options.batch?.hasBatch(value) ?? false;
  }

  #valueInfo(name: string, value: Value, dynamic: boolean): onnx.ValueInfoProto {
    const dim = value.shape.map((extent, axis) => {
      if (dynamic && axis === 0) return { dimParam: 'batch' };
      // within a loop an extent may be a multiple of the batch, which ONNX cannot state
      return this.#options.batch?.varies(value, axis) ? {} : { dimValue: extent };
    });
    return { name, type: { tensorType: { elemType: TYPE_CODES[value.type], shape: { dim } } } };
  }

  #name(value: Value): string {
    const known = this.#names.get(value);
    if (known !== undefined) return known;
    if (!value.data) throw new GenserveError('INTERNAL', 'a value is used before it is computed');
    const name = this.#initialiser(value.name, value.data, value.shape, TYPE_CODES[value.type]);
    this.#names.set(value, name);
    return name;
  }

  #initialiser(wanted: string | undefined, data: Elements, shape: readonly number[], dataType: number): string {
    const { weights } = this.#options;
    const base: onnx.TensorProto = {
      dims: [...shape],
      dataType,
      floatData: [],
      int32Data: [],
      int64Data: [],
      externalData: [],
    };
    if (weights && data.byteLength >= EXTERNAL_BYTES) {
      const { name, offset } = weights.place(wanted ?? `constant_${digest(data)}`, data);
      const unique = this.#unique(name);
      const entry = (key: string, value: string | number) => ({ key, value: String(value) });
      this.#initialisers.push({
        ...base,
        name: unique,
        dataLocation: onnx.TensorProto_DataLocation.EXTERNAL,
        externalData: [entry('location', WEIGHTS_FILE), entry('offset', offset), entry('length', data.byteLength)],
      });
      return unique;
    }
    const name = this.#unique(wanted ?? 'constant');
    this.#initialisers.push({ ...base, name, rawData: Buffer.from(bytesOf(data)) });
    return name;
  }

  #node(node: Node): void {
    const prefix = node.path === '' ? '' : `${node.path}/`;
    const name = this.#unique(`${prefix}${node.operator}`);
    const inputs = node.inputs.map(value => (value ? this.#name(value) : ''));
    const operands = OPERANDS[node.operator];
    const lists = this.#options.batch?.dimensions(node);
    for (const [index, operand] of operands?.names.entries() ?? []) {
      const attribute = node.attributes[operand];
      if (attribute === undefined || isGraph(attribute) || typeof attribute === 'string') continue;
      const list = lists?.get(operand) ?? (typeof attribute === 'number' ? [attribute] : attribute);
      const scalar = SCALAR_OPERANDS.has(node.operator);
      inputs.splice(operands!.first + index, 0, this.#integers(list, scalar, node.operator === 'Reshape'));
    }
    const hidden = new Set([...(operands?.names ?? []), ...(INTERNAL[node.operator] ?? [])]);
    const attribute = Object.entries(node.attributes).flatMap(([key, value]) =>
      hidden.has(key) ? [] : [this.#attribute(key, value)],
    );
    const outputs = node.outputs.map((output, index) => {
      const known = this.#names.get(output);
      if (known !== undefined) return known;
      const own = node.outputs.length === 1 ? `${name}_output` : `${name}_output_${index}`;
      const unique = this.#unique(own);
      this.#names.set(output, unique);
      return unique;
    });
    const { domain, name: operator } = onnxOperator(node.operator);
    this.#nodes.push({ ...proto(operator, inputs, outputs, name), attribute, domain });
  }

  #attribute(name: string, value: Attribute): onnx.AttributeProto {
    const empty = { name, floats: [], ints: [], strings: [], tensors: [], graphs: [] };
    if (typeof value === 'string') return { ...empty, type: STRING, s: Buffer.from(value) };
    if (typeof value === 'number') {
      return FLOATS.has(name) ? { ...empty, type: FLOAT, f: value } : { ...empty, type: INT, i: value };
    }
    if (isGraph(value)) return { ...empty, type: GRAPH, g: new GraphWriter(this.#options, this).write(value, true) };
    return { ...empty, type: INTS, ints: [...value] };
  }

  /** The name of an int64 value that holds `list`, computed from the batch where it depends on it. */
  #integers(list: readonly Dimension[], scalar: boolean, reshape: boolean): string {
    const key = `${scalar}${reshape}${JSON.stringify(list)}`;
    const known = this.#helpers.get(key);
    if (known) return known;
    const name = this.#makeIntegers(list, scalar, reshape);
    this.#helpers.set(key, name);
    return name;
  }

  #makeIntegers(list: readonly Dimension[], scalar: boolean, reshape: boolean): string {
    const symbolic = list.filter(each => typeof each !== 'number');
    // a reshape may leave one extent to be inferred
    if (symbolic.length === 0 || (reshape && symbolic.length === 1)) {
      const numbers = list.map(each => (typeof each === 'number' ? each : -1));
      const data = BigInt64Array.from(numbers, BigInt);
      return this.#initialiser('shape', data, scalar ? [] : [data.length], TYPE_CODES.int64);
    }
    const parts = list.map(each => this.#dimension(each));
    const name = this.#unique('shape');
    const attribute = [this.#attribute('axis', 0)];
    this.#nodes.push({ ...proto('Concat', parts, [name], `${name}_concat`), attribute });
    return name;
  }

  /** An int64 vector of one element. */
  #dimension(dimension: Dimension): string {
    if (typeof dimension === 'number') return this.#integers([dimension], false, false);
    const key = JSON.stringify(dimension);
    const known = this.#helpers.get(key);
    if (known) return known;
    const { scale, offset } = dimension;
    let name = this.#batchSize();
    const step = (operator: string, number: number) => {
      const next = this.#unique('extent');
      this.#nodes.push(proto(operator, [name, this.#integers([number], false, false)], [next], `${next}_${operator}`));
      name = next;
    };
    if (scale !== 1) step('Mul', scale);
    if (offset !== 0) step('Add', offset);
    this.#helpers.set(key, name);
    return name;
  }

  #batchSize(): string {
    const known = this.#helpers.get('batch');
    if (known) return known;
    const source = this.#options.batch?.source;
    if (!source) throw new GenserveError('INTERNAL', 'a shape depends on the batch, but no input has a batch');
    const name = this.#unique('batch_size');
    const attribute = [this.#attribute('start', 0), this.#attribute('end', 1)];
    this.#nodes.push({ ...proto('Shape', [this.#name(source)], [name], `${name}_shape`), attribute });
    this.#helpers.set('batch', name);
    return name;
  }
}

function proto(opType: string, input: string[], output: string[], name: string): onnx.NodeProto {
  return { opType, input, output, name, attribute: [], domain: '' };
}

const bytesOf = (data: Elements) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

function equalBytes(a: Elements, b: Elements): boolean {
  return a === b || Buffer.compare(bytesOf(a), bytesOf(b)) === 0;
}

/** FNV-1a, to name unnamed constants by what they hold. */
function digest(data: Elements): string {
  let hash = 0x811c9dc5;
  for (const byte of bytesOf(data)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}
