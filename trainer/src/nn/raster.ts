// Drawing an image pixel by pixel in raster order from a network that keeps what it has computed: rows above are
// worked on once per row, the current row once per pixel (Ramachandran et al. 2017, "Fast Generation for Convolutional
// Autoregressive Models"). Rows can be drawn in several runs: what a row leaves for the next is state.
import type { Tensor, Tensor4D } from '@tensorflow/tfjs';
import { scan } from '../trace/scan.js';
import { tf } from '../trace/tensorflow.js';

type NamedTensors = Readonly<Record<string, Tensor>>;

/** An autoregressive network over images, evaluated one pixel after the other for one condition. */
export interface RasterNetwork {
  /** Shapes, without the batch, of what a row leaves for the next one; all zero above the first row. */
  readonly rowState: Readonly<Record<string, readonly number[]>>;
  /** Shapes, without the batch, of what a pixel leaves for its right neighbour; all zero left of the first column. */
  readonly columnState: Readonly<Record<string, readonly number[]>>;
  /**
   * What row i takes from the rows above it, before its first pixel is drawn. `above` is row i - 1, [batch, 1, width,
   * channels], zero for the first. `drives` are [batch, width, n] and reach `pixel` column by column.
   */
  row(state: NamedTensors, above: Tensor): { readonly state: NamedTensors; readonly drives: NamedTensors };
  /** Logits [batch, outputs] of a pixel whose left neighbour is `left`, [batch, channels], zero for the first. */
  pixel(
    state: NamedTensors,
    left: Tensor,
    drives: NamedTensors,
  ): { readonly state: NamedTensors; readonly logits: Tensor };
}

export interface RasterOptions {
  /** [batch, height, width, channels]; rows that are not drawn stay as they are. */
  readonly image: Tensor;
  /** Row `first_row - 1` of the image, [batch, 1, width, channels]; zero at the top. */
  readonly above: Tensor;
  readonly rowState: NamedTensors;
  /** int32 scalars. */
  readonly firstRow: Tensor;
  readonly rowCount: Tensor;
  /** Whatever `draw` needs at each pixel, [batch, height, width, n] by name: noise, known values. */
  readonly inputs: NamedTensors;
  /** [batch, outputs] and the pixel's inputs [batch, n] -> the pixel [batch, channels]. */
  draw(logits: Tensor, inputs: NamedTensors): Tensor;
}

export interface RasterResult {
  readonly image: Tensor;
  readonly above: Tensor;
  readonly rowState: NamedTensors;
}

const MEMORY = 'memory/';
const DRIVE = 'drive/';
const INPUT = 'input/';

export function drawRaster(network: RasterNetwork, options: RasterOptions): RasterResult {
  const [batch, height, width, channels] = (options.image as Tensor4D).shape; // rank 4, by the contract above
  const noPixel = tf.zeros([batch, channels]);
  const noColumns = Object.fromEntries(
    Object.entries(network.columnState).map(([name, shape]) => [name, tf.zeros([batch, ...shape])]),
  );
  const { carry } = scan({
    trips: { count: options.rowCount, most: height },
    carry: { image: options.image, above: options.above, ...prefixed(MEMORY, options.rowState) } as NamedTensors,
    body({ index, carry: { image, above, ...memory } }) {
      const row = tf.add(options.firstRow, index);
      const { state, drives } = network.row(unprefixed(MEMORY, memory), above!);
      const inputs = mapTensors(options.inputs, x => tf.gather(x, row, 1));
      const pixels = scan({
        trips: width,
        carry: { left: noPixel, ...prefixed(MEMORY, noColumns) } as NamedTensors,
        slices: mapTensors({ ...prefixed(DRIVE, drives), ...prefixed(INPUT, inputs) }, x => tf.transpose(x, [1, 0, 2])),
        body({ carry: { left, ...memory }, slices }) {
          const step = network.pixel(unprefixed(MEMORY, memory), left!, unprefixed(DRIVE, slices));
          const pixel = options.draw(step.logits, unprefixed(INPUT, slices));
          return { carry: { left: pixel, ...prefixed(MEMORY, step.state) }, stacked: { pixel } };
        },
      });
      const drawn = tf.expandDims(tf.transpose(pixels.stacked.pixel, [1, 0, 2]), 1);
      const here = tf.cast(tf.reshape(tf.oneHot(row, height), [1, height, 1, 1]), 'bool');
      return { carry: { image: tf.where(here, drawn, image!), above: drawn, ...prefixed(MEMORY, state) } };
    },
  });
  const { image, above, ...memory } = carry;
  // The names that the scan was given.
  return { image: image!, above: above!, rowState: unprefixed(MEMORY, memory) };
}

function mapTensors(tensors: NamedTensors, map: (x: Tensor) => Tensor): NamedTensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, x]) => [name, map(x)]));
}

function prefixed(prefix: string, tensors: NamedTensors): NamedTensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, x]) => [`${prefix}${name}`, x]));
}

/** Those whose name has the prefix, without it. */
function unprefixed(prefix: string, tensors: NamedTensors): NamedTensors {
  return Object.fromEntries(
    Object.entries(tensors)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, x]) => [name.slice(prefix.length), x]),
  );
}
