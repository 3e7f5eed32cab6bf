// Sampling from a raster network in as many runs as the caller likes: which rows come as counts, what a run leaves for
// the next as state (contract, section 4).
import type { Tensor } from '@tensorflow/tfjs';
import { drawRaster, type RasterNetwork, type RasterState } from '../nn/raster.js';
import { tf } from '../trace/tensorflow.js';
import type { BinarySampler } from './binary-autoregressive.js';

type NamedTensors = Readonly<Record<string, Tensor>>;

/** `network` makes the network for labels int32 [batch], or for none. */
export function rasterSampler(
  { height, width }: { readonly height: number; readonly width: number },
  network: (label?: Tensor) => RasterNetwork,
): BinarySampler {
  const { rowState } = network();
  const pack = ({ image, above, rowState }: RasterState): NamedTensors => ({ image, above, ...rowState });
  // Named by `pack`.
  const unpack = (tensors: NamedTensors): RasterState => ({
    image: tensors.image!,
    above: tensors.above!,
    rowState: Object.fromEntries(Object.keys(rowState).map(name => [name, tensors[name]!])),
  });
  return {
    counts: [
      { name: 'first_row', role: 'count', dtype: 'int32', default: 0 },
      { name: 'row_count', role: 'count', dtype: 'int32', default: height },
    ],
    states: { image: [height, width, 1], above: [1, width, 1], ...rowState },
    parts: height,
    draw({ inputs, states, uniform, decide, revise }) {
      const state = drawRaster(network(inputs.label), {
        state: unpack(states),
        firstRow: inputs.first_row!,
        rowCount: inputs.row_count!,
        inputs: { uniform },
        draw: (logits, { uniform }) => decide(logits, uniform!),
        ...(revise && {
          revise({ row, logits, state }) {
            const pick = (picture: Tensor) => tf.reshape(tf.gather(picture, row, 1), [-1, width]);
            return unpack(revise({ index: row, logits: tf.squeeze(logits, [2]), pick, drawn: pack(state) }));
          },
        }),
      });
      return { image: state.image, states: pack(state) };
    },
  };
}
