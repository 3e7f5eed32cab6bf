// The order of the graph passes.
import { sinkTransposes } from './layout.js';
import { lowerGradients } from './lower.js';
import { rewrite } from './rewrite.js';
import type { Graph } from './types.js';

/** A graph that computes the same, faster. */
export function optimise(graph: Graph): Graph {
  return rewrite(rewrite(graph, sinkTransposes), lowerGradients);
}
