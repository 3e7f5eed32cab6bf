// What a graph costs: parameters, multiply-accumulates, and the operators that a runtime must have.
import { integer, onnxOperator } from './infer.js';
import { isGraph } from './rewrite.js';
import type { Graph, Node } from './types.js';
import { size } from './types.js';

/** Numbers in initialisers made from variables. */
export function countParameters(graph: Graph): number {
  const parameters = new Map<string, number>();
  visit(graph, node => {
    for (const value of node.inputs) if (value?.data && value.name) parameters.set(value.name, value.data.length);
  });
  return [...parameters.values()].reduce((sum, count) => sum + count, 0);
}

/** Multiply-accumulates of one run: matrix products and convolutions, loops included. */
export function countMacs(graph: Graph): number {
  let total = 0;
  visit(graph, (node, repeats) => {
    total += repeats * macs(node);
  });
  return total;
}

/** Sorted names, with the domain in front where it is not ONNX's own. */
export function listOperators(graph: Graph): string[] {
  const names = new Set<string>();
  visit(graph, ({ operator }) => {
    const { domain, name } = onnxOperator(operator);
    names.add(domain === '' ? name : `${domain}.${name}`);
  });
  return [...names].sort();
}

function visit(graph: Graph, each: (node: Node, repeats: number) => void, repeats = 1): void {
  for (const node of graph.nodes) {
    each(node, repeats);
    for (const attribute of Object.values(node.attributes)) {
      if (isGraph(attribute)) visit(attribute, each, repeats * integer(node.attributes, 'trips', 1));
    }
  }
}

function macs({ operator, inputs, outputs, attributes }: Node): number {
  const [a, b] = [inputs[0]?.shape ?? [], inputs[1]?.shape ?? []];
  const result = outputs[0]?.shape ?? [];
  switch (operator) {
    case 'Conv':
    case 'BlockedConv':
      return size(result) * size(b.slice(1));
    case 'ConvTranspose':
      return size(a) * size(b.slice(1));
    case 'MatMul':
    case 'Gemm':
    case 'FusedMatMul':
      return size(result) * (integer(attributes, 'transA', 0) === 1 ? a.at(-2)! : a.at(-1)!);
    default:
      return 0;
  }
}
