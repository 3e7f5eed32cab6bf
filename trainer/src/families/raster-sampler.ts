// Sampling from a raster network in as many runs as the caller likes: which rows come as counts, what a run leaves for
// the next as state (contract, section 4).
import type { Tensor } from '@tensorflow/tfjs';
import { drawRaster, packState, type RasterNetwork, stateShapes, unpackState } from '../nn/raster.js';
import { tf } from '../trace/tensorflow.js';
import type { BinarySampler } from './binary-drawing.js';

/** `network` makes the network for a condition [batch, n], or for none. */
export function rasterSampler(
  { height, width }: { readonly height: number; readonly width: number },
  network: (condition?: Tensor) => RasterNetwork,
): BinarySampler {
  const states = stateShapes(network(), [height, width, 1]);
  return {
    counts: [
      { name: 'first_row', role: 'count', dtype: 'int32', default: 0 },
      { name: 'row_count', role: 'count', dtype: 'int32', default: height },
    ],
    states,
    parts: height,
    draw({ inputs, states: left, condition, uniform, decide, revise }) {
      const before = Object.fromEntries(Object.keys(states).map(name => [name, left[name]!])); // ports of these names
      const state = drawRaster(network(condition), {
        state: unpackState(before),
        firstRow: inputs.first_row!,
        rowCount: inputs.row_count!,
        inputs: { uniform },
        draw: (logits, { uniform }) => decide(logits, uniform!),
        ...(revise && {
          revise({ row, logits, state }) {
            const pick = (picture: Tensor) => tf.reshape(tf.gather(picture, row, 1), [-1, width]);
            return unpackState(revise({ index: row, logits: tf.squeeze(logits, [2]), pick, drawn: packState(state) }));
          },
        }),
      });
      return { image: state.image, states: packState(state), given: state.given };
    },
  };
}
