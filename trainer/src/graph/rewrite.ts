// Re-emits a graph through a fresh builder: the skeleton of every pass. Dead code falls away on the way.
import { GraphBuilder } from './builder.js';
import type { Attribute, Graph, Node, Value } from './types.js';

/** Emits what replaces `node` and returns its outputs, or undefined to keep it. `inputs` are already rewritten. */
export type Rule = (
  builder: GraphBuilder,
  node: Node,
  inputs: readonly (Value | undefined)[],
) => readonly Value[] | undefined;

export function rewrite(graph: Graph, rule: Rule = () => undefined): Graph {
  return rewriteWithin(graph, rule, new Map(), undefined);
}

function rewriteWithin(
  graph: Graph,
  rule: Rule,
  outer: ReadonlyMap<Value, Value>,
  parent: GraphBuilder | undefined,
): Graph {
  const builder = new GraphBuilder(parent);
  const replaced = new Map(outer);
  for (const input of graph.inputs) {
    replaced.set(input, builder.input(input.name ?? '', input.type, input.shape, input.variable));
  }
  const live = liveNodes(graph);
  for (const node of graph.nodes) {
    if (!live.has(node)) continue;
    builder.path = node.path;
    const inputs = node.inputs.map(value => value && (replaced.get(value) ?? value));
    const outputs = rule(builder, node, inputs) ?? keep(builder, node, inputs, replaced, rule);
    for (const [index, output] of node.outputs.entries()) replaced.set(output, outputs[index]!);
  }
  const outputs = graph.outputs.map(({ name, value }) => ({ name, value: replaced.get(value) ?? value }));
  const rebuilt = builder.graph(graph.name, outputs);
  const used = liveNodes(rebuilt);
  return { ...rebuilt, nodes: rebuilt.nodes.filter(node => used.has(node)) };
}

function keep(
  builder: GraphBuilder,
  node: Node,
  inputs: readonly (Value | undefined)[],
  replaced: ReadonlyMap<Value, Value>,
  rule: Rule,
): readonly Value[] {
  const attributes = Object.fromEntries(
    Object.entries(node.attributes).map(([name, value]) => [
      name,
      isGraph(value) ? rewriteWithin(value, rule, replaced, builder) : value,
    ]),
  );
  return node.outputs.length === 1 && node.operator !== 'Loop'
    ? [builder.emit(node.operator, inputs, attributes)]
    : builder.emitMany(node.operator, inputs, attributes);
}

export function isGraph(attribute: Attribute): attribute is Graph {
  return typeof attribute === 'object' && 'nodes' in attribute;
}

/** Nodes that some output depends on. */
function liveNodes(graph: Graph): Set<Node> {
  const live = new Set<Node>();
  const own = new Set(graph.nodes);
  const visit = (value: Value | undefined) => {
    const node = value?.node;
    if (node && own.has(node)) live.add(node);
  };
  for (const { value } of graph.outputs) visit(value);
  for (const node of graph.nodes.toReversed()) {
    if (!live.has(node)) continue;
    for (const value of [...node.inputs, ...captured(node)]) visit(value);
  }
  return live;
}

/** Values that the node's nested graphs use, from whichever level. */
export function captured(node: Node): Value[] {
  return Object.values(node.attributes).flatMap(attribute =>
    isGraph(attribute)
      ? [
          ...attribute.outputs.map(({ value }) => value),
          ...attribute.nodes.flatMap(inner => [
            ...inner.inputs.filter(value => value !== undefined),
            ...captured(inner),
          ]),
        ]
      : [],
  );
}

/** How often each value is used, as an input, inside nested graphs, or as an output. */
export function countUses(graph: Graph): Map<Value, number> {
  const uses = new Map<Value, number>();
  const use = (value: Value | undefined) => value && uses.set(value, (uses.get(value) ?? 0) + 1);
  for (const node of graph.nodes) for (const value of [...node.inputs, ...captured(node)]) use(value);
  for (const { value } of graph.outputs) use(value);
  return uses;
}
