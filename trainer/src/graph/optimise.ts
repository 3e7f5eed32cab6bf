// The order of the graph passes.
import { blockImages } from './blocked.js';
import { fuse, readActivations } from './fuse.js';
import { sinkTransposes } from './layout.js';
import { lowerOperators } from './lower.js';
import { rewrite } from './rewrite.js';
import type { Graph } from './types.js';
import { joinUpdates } from './updates.js';

export interface OptimiseOptions {
  /**
   * For graphs that run on this very processor: channels in a group of onnxruntime's blocked layout (see
   * engine/block-size.ts). Absent for graphs that others run.
   */
  readonly block?: number | undefined;
}

/** A graph that computes the same, faster. */
export function optimise(graph: Graph, { block }: OptimiseOptions = {}): Graph {
  const laidOut = block === undefined ? rewrite(graph, sinkTransposes) : rewrite(graph, blockImages(graph, block));
  const lowered = rewrite(laidOut, lowerOperators);
  const settled = rewrite(lowered, readActivations(lowered));
  const fused = rewrite(settled, fuse(settled));
  return block === undefined ? fused : joinUpdates(fused);
}
