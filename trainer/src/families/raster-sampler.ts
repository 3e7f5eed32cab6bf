// Sampling from a raster network in as many runs as the caller likes: which rows come as counts, what a run leaves for
// the next as state (contract, section 4).
import type { Tensor } from '@tensorflow/tfjs';
import type { PortSpec } from '../family.js';
import { drawRaster, type RasterNetwork } from '../nn/raster.js';
import { tf } from '../trace/tensorflow.js';
import type { BinarySampler } from './binary-autoregressive.js';

/** The row above the first one to draw. */
const ABOVE = 'above';

/** `network` makes the network for labels int32 [batch], or for none. */
export function rasterSampler(
  { height, width }: { readonly height: number; readonly width: number },
  network: (label?: Tensor) => RasterNetwork,
): BinarySampler {
  const rowStates = Object.entries(network().rowState);
  const states = [[ABOVE, [1, width, 1]] as const, ...rowStates];
  const port = (name: string, shape: readonly number[]): PortSpec => ({ name, role: 'state', shape, default: 0 });
  return {
    inputs: [
      { name: 'first_row', role: 'count', dtype: 'int32', default: 0 },
      { name: 'row_count', role: 'count', dtype: 'int32', default: height },
      ...states.map(([name, shape]) => port(name, shape)),
    ],
    outputs: states.map(([name, shape]) => port(`next_${name}`, shape)),
    draw(inputs, uniform, decide) {
      const { image, above, rowState } = drawRaster(network(inputs.label), {
        image: tf.zerosLike(uniform),
        above: inputs[ABOVE]!,
        rowState: Object.fromEntries(rowStates.map(([name]) => [name, inputs[name]!])),
        firstRow: inputs.first_row!,
        rowCount: inputs.row_count!,
        inputs: { uniform },
        draw: (logits, { uniform }) => decide(logits, uniform!),
      });
      const next = Object.entries({ [ABOVE]: above, ...rowState });
      return { image, next: Object.fromEntries(next.map(([name, state]) => [`next_${name}`, state])) };
    },
  };
}
