// An optimiser computes the same few sums and products for each of many small parameters: thousands of nodes, each of
// which costs more to start than to compute. This pass lays equal updates end to end and computes them once.
import { GraphBuilder } from './builder.js';
import { captured } from './rewrite.js';
import type { Graph, Node, Value } from './types.js';
import { sameShape, size } from './types.js';

/** Parameters up to this many numbers are laid end to end: copying larger ones would cost more than it saves. */
const GREATEST_SIZE = 16384;

const ELEMENTWISE = new Set([
  'Add',
  'Sub',
  'Mul',
  'Div',
  'Sqrt',
  'Neg',
  'Max',
  'Min',
  'Abs',
  'Exp',
  'Pow',
  'Sign',
  'Reciprocal',
]);

/** Nodes of one shape that lead to outputs of the graph and to nothing else. */
interface Update {
  readonly shape: readonly number[];
  /** In the graph's order. */
  readonly nodes: Node[];
}

/** What an update computes, from which tensors of its own shape. */
interface Plan {
  readonly update: Update;
  readonly leaves: readonly Value[];
  /** Equal for updates that do the same to other tensors. */
  readonly signature: string;
}

/** The same graph with equal small updates computed together. */
export function joinUpdates(graph: Graph): Graph {
  const results = new Set(graph.outputs.map(({ value }) => value));
  const groups = new Map<string, Plan[]>();
  for (const update of findUpdates(graph, results)) {
    const plan = describe(update, results);
    if (plan) groups.set(plan.signature, [...(groups.get(plan.signature) ?? []), plan]);
  }
  const joined = [...groups.values()].filter(plans => plans.length > 1);
  if (joined.length === 0) return graph;
  const taken = new Set(joined.flatMap(plans => plans.flatMap(({ update }) => update.nodes)));
  const builder = new GraphBuilder();
  builder.path = 'updates';
  builder.inputs.push(...graph.inputs);
  const replaced = new Map(joined.flatMap(plans => [...join(builder, plans, results)]));
  return {
    ...graph,
    nodes: [...graph.nodes.filter(node => !taken.has(node)), ...builder.nodes],
    outputs: graph.outputs.map(({ name, value }) => ({ name, value: replaced.get(value) ?? value })),
  };
}

/** Grown from the outputs backwards, so that nothing else of the graph depends on what is found. */
function findUpdates(graph: Graph, results: ReadonlySet<Value>): Update[] {
  const consumers = new Map<Value, Node[]>();
  for (const node of graph.nodes) {
    for (const value of [...node.inputs, ...captured(node)]) {
      if (value) consumers.set(value, [...(consumers.get(value) ?? []), node]);
    }
  }
  const owner = new Map<Node, Update>();
  for (const node of graph.nodes.toReversed()) {
    const value = node.outputs[0];
    if (!value || !ELEMENTWISE.has(node.operator) || value.shape.length === 0) continue;
    if (value.type !== 'float32' || size(value.shape) > GREATEST_SIZE) continue;
    const readers = consumers.get(value) ?? [];
    const owners = new Set(readers.map(reader => owner.get(reader)));
    if (owners.has(undefined) || (readers.length === 0 && !results.has(value))) continue;
    // none is undefined, as just seen
    const parts = [...owners] as Update[];
    if (parts.some(part => !sameShape(part.shape, value.shape))) continue;
    const update: Update = { shape: value.shape, nodes: [node, ...parts.flatMap(part => part.nodes)] };
    for (const each of update.nodes) owner.set(each, update);
  }
  const place = new Map(graph.nodes.map((node, index) => [node, index]));
  return [...new Set(owner.values())].map(({ shape, nodes }) => ({
    shape,
    nodes: nodes.toSorted((a, b) => place.get(a)! - place.get(b)!),
  }));
}

function describe(update: Update, results: ReadonlySet<Value>): Plan | undefined {
  const index = new Map(update.nodes.map((node, position) => [node, position]));
  const leaves: Value[] = [];
  const words: string[] = [];
  for (const node of update.nodes) {
    const inputs = node.inputs.map(value => {
      if (!value) return '';
      const inner = value.node && index.get(value.node);
      if (inner !== undefined) return `n${inner}`;
      // numbers are shared between updates; their identity belongs to what is computed
      if (size(value.shape) === 1 && size(update.shape) !== 1) return `s${value.id}`;
      if (!sameShape(value.shape, update.shape)) return undefined;
      if (!leaves.includes(value)) leaves.push(value);
      return `t${leaves.indexOf(value)}`;
    });
    if (inputs.includes(undefined)) return undefined;
    words.push(
      `${node.operator}(${inputs})${JSON.stringify(node.attributes)}${results.has(node.outputs[0]!) ? '!' : ''}`,
    );
  }
  return { update, leaves, signature: words.join(' ') };
}

/** Emits the updates as one; returns what stands for each of their results. */
function join(builder: GraphBuilder, plans: readonly Plan[], results: ReadonlySet<Value>): Map<Value, Value> {
  const [model] = plans;
  const sizes = plans.map(({ update }) => size(update.shape));
  const known = new Map<Value, Value>();
  for (const [slot, leaf] of model!.leaves.entries()) {
    const parts = plans.map(({ leaves }, index) => builder.reshape(leaves[slot]!, [sizes[index]!]));
    known.set(leaf, builder.emit('Concat', parts, { axis: 0 }));
  }
  const replaced = new Map<Value, Value>();
  for (const [position, node] of model!.update.nodes.entries()) {
    // shared numbers of a higher rank would add axes to what is a list here
    const inputs = node.inputs.map(
      value => value && (known.get(value) ?? (value.shape.length > 1 ? builder.reshape(value, []) : value)),
    );
    const whole = builder.emit(node.operator, inputs, node.attributes);
    known.set(node.outputs[0]!, whole);
    if (!results.has(node.outputs[0]!)) continue;
    const parts = builder.emitMany('Split', [whole], { axis: 0, split: sizes });
    for (const [index, { update }] of plans.entries()) {
      const result = update.nodes[position]!.outputs[0]!;
      replaced.set(result, builder.reshape(parts[index]!, result.shape));
    }
  }
  return replaced;
}
