// The order of the graph passes.
import { fuse } from './fuse.js';
import { sinkTransposes } from './layout.js';
import { lowerGradients } from './lower.js';
import { rewrite } from './rewrite.js';
import type { Graph } from './types.js';

/** A graph that computes the same, faster. */
export function optimise(graph: Graph): Graph {
  const settled = rewrite(rewrite(graph, sinkTransposes), lowerGradients);
  return rewrite(settled, fuse(settled));
}
