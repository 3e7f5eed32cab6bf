// Grows a graph node by node. Whatever is emitted is simplified, folded and shared at once, so that every pass that
// re-emits a graph through a builder leaves it clean.
import { evaluate } from './evaluate.js';
import { infer } from './infer.js';
import { simplify } from './simplify.js';
import type { Attributes, Elements, ElementType, Graph, Node, Value } from './types.js';
import { size } from './types.js';

type Inputs = readonly (Value | undefined)[];

let lastId = 0;

export class GraphBuilder {
  readonly inputs: Value[] = [];
  readonly nodes: Node[] = [];
  /** Module path given to new nodes; where it is '', a node belongs to the module of its variable or of its inputs. */
  path = '';
  readonly #own = new Set<Node>();
  readonly #shared = new Map<string, readonly Value[]>();
  readonly #constants = new Map<string, Value>();
  readonly #parent: GraphBuilder | undefined;

  /** A builder for the body of a node of `parent` reuses what the parent holds. */
  constructor(parent?: GraphBuilder) {
    this.#parent = parent;
  }

  /** `variable`: the model's name for what this input carries. */
  input(name: string, type: ElementType, shape: readonly number[], variable?: string): Value {
    const value: Value = { id: ++lastId, type, shape, name, variable };
    this.inputs.push(value);
    return value;
  }

  /** `name` marks a model parameter; unnamed constants of equal content are one. */
  constant(data: Elements, type: ElementType, shape: readonly number[], name?: string): Value {
    if (name !== undefined || data.length > 64) return { id: ++lastId, type, shape, data, name, variable: name };
    const key = `${type}[${shape}]${literals(data)}`;
    const known = this.#findConstant(key);
    if (known) return known;
    const value: Value = { id: ++lastId, type, shape, data };
    this.#constants.set(key, value);
    return value;
  }

  scalar(number: number, type: ElementType = 'float32'): Value {
    return this.constant(elements(type, [number]), type, []);
  }

  /** Emits a node of one output, or returns an existing or simpler value that equals it. */
  emit(operator: string, inputs: Inputs, attributes: Attributes = {}): Value {
    const simple = simplify(this, operator, inputs, attributes);
    if (simple) return simple;
    const folded = evaluate(this, operator, inputs, attributes);
    if (folded) return folded;
    // every operator has at least one output
    return this.emitMany(operator, inputs, attributes)[0]!;
  }

  /**
   * Emits a node of any number of outputs as it stands; equal nodes are one, and what does not depend on the iteration
   * of a loop goes in front of it.
   */
  emitMany(operator: string, inputs: Inputs, attributes: Attributes = {}): readonly Value[] {
    if (this.#parent && operator !== 'Loop' && !inputs.some(value => value && this.#varies(value))) {
      return this.#parent.emitMany(operator, inputs, attributes);
    }
    const key = operator === 'Loop' ? undefined : describe(operator, inputs, attributes);
    const known = key === undefined ? undefined : this.#find(key);
    if (known) return known;
    const outputs: Value[] = [];
    const node: Node = {
      operator,
      inputs,
      attributes,
      outputs,
      path: this.path || modulePath(inputs),
    };
    for (const { type, shape } of infer(operator, inputs, attributes)) {
      outputs.push({ id: ++lastId, type, shape, node });
    }
    this.nodes.push(node);
    this.#own.add(node);
    if (key !== undefined) this.#shared.set(key, outputs);
    return outputs;
  }

  /**
   * Whether `value` is computed by a node of this very graph, not of one around it: inside a loop, work on values of
   * the graphs around it would be repeated with each iteration.
   */
  computes(value: Value): boolean {
    return value.node !== undefined && this.#own.has(value.node);
  }

  /** The output of an equal node of one output that was emitted before, if there is one. */
  find(operator: string, inputs: Inputs, attributes: Attributes = {}): Value | undefined {
    return this.#find(describe(operator, inputs, attributes))?.[0];
  }

  graph(name: string, outputs: Graph['outputs']): Graph {
    return { name, inputs: this.inputs, outputs, nodes: this.nodes };
  }

  // Shorthands for the operators that passes and mappings use most.
  reshape(value: Value, shape: readonly number[]): Value {
    return this.emit('Reshape', [value], { shape });
  }
  transpose(value: Value, perm: readonly number[]): Value {
    return this.emit('Transpose', [value], { perm });
  }
  expand(value: Value, shape: readonly number[]): Value {
    return this.emit('Expand', [value], { shape });
  }
  /** One axis from `start` to `end` (exclusive). */
  slice(value: Value, axis: number, start: number, end: number, step = 1): Value {
    return this.emit('Slice', [value], { starts: [start], ends: [end], axes: [axis], steps: [step] });
  }
  /** A tensor that holds `number` everywhere. */
  filled(number: number, type: ElementType, shape: readonly number[]): Value {
    return shape.length === 0 ? this.scalar(number, type) : this.expand(this.scalar(number, type), shape);
  }

  #varies(value: Value): boolean {
    return value.node ? this.#own.has(value.node) : this.inputs.includes(value);
  }

  #find(key: string): readonly Value[] | undefined {
    return this.#shared.get(key) ?? (this.#parent ? this.#parent.#find(key) : undefined);
  }
  #findConstant(key: string): Value | undefined {
    return this.#constants.get(key) ?? (this.#parent ? this.#parent.#findConstant(key) : undefined);
  }
}

function modulePath(inputs: Inputs): string {
  for (const value of inputs)
    if (value?.variable !== undefined) return value.variable.split('/').slice(0, -1).join('/');
  return inputs.find(value => value?.node && value.node.path !== '')?.node?.path ?? '';
}

function describe(operator: string, inputs: Inputs, attributes: Attributes): string {
  return `${operator}(${inputs.map(value => value?.id ?? '').join()})${JSON.stringify(attributes)}`;
}

/** Tells -0 from 0. */
function literals(data: Elements): string {
  const texts: string[] = [];
  for (const each of data) texts.push(Object.is(each, -0) ? '-0' : String(each));
  return texts.join();
}

/** Numbers as the array type of `type`; an array of that type already is not copied. */
export function elements(type: ElementType, numbers: ArrayLike<number>): Elements {
  switch (type) {
    case 'float32':
      return numbers instanceof Float32Array ? numbers : new Float32Array(numbers);
    case 'int32':
      return numbers instanceof Int32Array ? numbers : new Int32Array(numbers);
    case 'int64':
      return BigInt64Array.from(Array.from(numbers, BigInt));
    case 'bool':
      return Uint8Array.from(numbers, each => (each === 0 ? 0 : 1));
  }
}

/** The number that a constant or an expanded constant holds everywhere, if it is one. */
export function uniformNumber(value: Value | undefined): number | undefined {
  if (value?.node?.operator === 'Expand') return uniformNumber(value.node.inputs[0]);
  if (!value?.data || size(value.shape) !== 1) return undefined;
  return Number(value.data[0]);
}
