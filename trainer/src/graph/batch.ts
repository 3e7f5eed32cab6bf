// Symbolic batch: two recordings of one program at two batch sizes are compared, and each integer that differs becomes a
// linear function of the batch (design, section 2).
import { GenserveError } from '@genserve/runtime';
import { isGraph } from './rewrite.js';
import type { Attribute, Elements, Graph, Node, Value } from './types.js';
import { sameShape } from './types.js';

/** `scale * batch + offset` */
export interface BatchDimension {
  readonly scale: number;
  readonly offset: number;
}
export type Dimension = number | BatchDimension;

export interface SymbolicBatch {
  /** The input that tells the batch size. */
  readonly source: Value | undefined;
  /** Lists of integers of `node` that depend on the batch, by attribute. */
  dimensions(node: Node): ReadonlyMap<string, readonly Dimension[]> | undefined;
  /** Whether dimension 0 of an input or output of the graph is the batch. */
  hasBatch(value: Value): boolean;
  /** Whether an extent of a value depends on the batch in any way. */
  varies(value: Value, axis: number): boolean;
}

export interface Recording {
  readonly graph: Graph;
  readonly batch: number;
}

/**
 * Compares two recordings, and calls for a third where some extent is not a plain multiple of the batch: through two points
 * there is always a line.
 * @throws where the recordings differ in anything but what a batch may change.
 */
export function compareRecordings(first: Recording, second: Recording, third?: () => Recording): SymbolicBatch {
  const comparison = new Comparison(first, second);
  comparison.graphs(first.graph, second.graph);
  if (comparison.affine && third) {
    const check = new Comparison(first, third());
    check.graphs(first.graph, check.second.graph);
    for (const node of first.graph.nodes) {
      const [expected, found] = [comparison, check].map(each => JSON.stringify([...(each.dimensions(node) ?? [])]));
      if (expected !== found) throw differ(`a shape in ${describe(node)} is not a linear function of the batch`);
    }
  }
  return comparison;
}

class Comparison implements SymbolicBatch {
  source: Value | undefined;
  /** Whether some extent is not a multiple of the batch. */
  affine = false;
  readonly second: Recording;
  readonly #first: Recording;
  readonly #dimensions = new Map<Node, Map<string, readonly Dimension[]>>();
  readonly #batched = new Set<Value>();
  readonly #pairs = new Map<Value, Value>();

  constructor(first: Recording, second: Recording) {
    this.#first = first;
    this.second = second;
  }

  dimensions(node: Node): ReadonlyMap<string, readonly Dimension[]> | undefined {
    return this.#dimensions.get(node);
  }

  hasBatch(value: Value): boolean {
    return this.#batched.has(value);
  }

  varies(value: Value, axis: number): boolean {
    const other = this.#pairs.get(value);
    return other !== undefined && other.shape[axis] !== value.shape[axis];
  }

  graphs(a: Graph, b: Graph): void {
    const { length } = a.nodes;
    for (const [index, input] of a.inputs.entries()) this.#pair(input, b.inputs[index], `input '${input.name}'`);
    for (let index = 0; index < Math.max(length, b.nodes.length); index++) {
      const [left, right] = [a.nodes[index], b.nodes[index]];
      if (!left || !right || left.operator !== right.operator || left.inputs.length !== right.inputs.length) {
        const place = describe(left ?? right);
        throw differ(
          `the computation takes another course at ${place}: it must not depend on the batch size or on chance`,
        );
      }
      for (const [position, value] of left.inputs.entries()) {
        this.#same(value, right.inputs[position], describe(left));
      }
      this.#attributes(left, right);
      for (const [position, output] of left.outputs.entries()) {
        this.#pairs.set(output, right.outputs[position]!);
        this.#mark(output, right.outputs[position]!);
      }
    }
    for (const [index, { name, value }] of a.outputs.entries()) {
      this.#same(value, b.outputs[index]?.value, `output '${name}'`);
    }
  }

  #pair(a: Value, b: Value | undefined, place: string): void {
    if (!b || a.shape.length !== b.shape.length) throw differ(`${place} differs`);
    this.#pairs.set(a, b);
    this.#mark(a, b);
    if (this.#batched.has(a)) this.source ??= a;
  }

  #mark(a: Value, b: Value): void {
    const changes = a.shape[0] === this.#first.batch && b.shape[0] === this.second.batch;
    if (changes && this.#first.batch !== this.second.batch) this.#batched.add(a);
  }

  #same(a: Value | undefined, b: Value | undefined, place: string): void {
    if (a === undefined && b === undefined) return;
    if (!a || !b) throw differ(`an input of ${place} is missing in one of them`);
    if (!a.data && !b.data) {
      if (this.#pairs.get(a) !== b) throw differ(`${place} reads something else`);
      return;
    }
    if (!a.data || !b.data) throw differ(`${place} reads a constant in one of them only`);
    if (!sameShape(a.shape, b.shape)) {
      throw differ(
        `a constant of shape [${a.shape}] at batch ${this.#first.batch} has shape [${b.shape}] at batch ` +
          `${this.second.batch} (${place}); only constants of one repeated number may grow with the batch`,
      );
    }
    if (!equal(a.data, b.data)) {
      throw differ(
        `a constant of shape [${a.shape}] holds other numbers in the second one (${place}): randomness must be fed as ` +
          'noise, and no number may depend on the batch size',
      );
    }
  }

  #attributes(a: Node, b: Node): void {
    for (const [name, left] of Object.entries(a.attributes)) {
      const right = b.attributes[name];
      if (isGraph(left)) {
        // the second recording has the same operator, so a graph as well
        this.graphs(left, right as Graph);
      } else if (JSON.stringify(left) !== JSON.stringify(right)) {
        const lists = this.#dimensions.get(a) ?? new Map<string, readonly Dimension[]>();
        lists.set(name, this.#linear(left, right, `${name} of ${describe(a)}`));
        this.#dimensions.set(a, lists);
      }
    }
  }

  #linear(left: Attribute, right: Attribute | undefined, place: string): Dimension[] {
    if (!Array.isArray(left) || !Array.isArray(right) || left.length !== right.length) {
      throw differ(`${place} differs`);
    }
    const [from, to] = [this.#first.batch, this.second.batch];
    return left.map((number: number, index) => {
      const other: number = right[index]!;
      if (number === other) return number;
      const scale = (other - number) / (to - from);
      const offset = number - scale * from;
      if (from === to || !Number.isInteger(scale) || !Number.isInteger(offset)) {
        throw differ(`${place} is ${number} at batch ${from} and ${other} at batch ${to}, not a linear function of it`);
      }
      if (offset !== 0) this.affine = true;
      return { scale, offset };
    });
  }
}

const describe = (node: Node | undefined) => (node ? `${node.operator} in '${node.path || 'the program'}'` : 'the end');

const differ = (message: string) => new GenserveError('INTERNAL', `two recordings of one program differ: ${message}`);

function equal(a: Elements, b: Elements): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}
