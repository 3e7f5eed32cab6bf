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
  /** Lengths of what `pixel` computes for the row below, besides the pixel itself. */
  readonly features: Readonly<Record<string, number>>;
  /** What the condition gives every row, [batch, 1, ...], or a row of its own, [batch, height, ...]; by name. */
  readonly given: NamedTensors;
  /**
   * What row i takes from the rows above it, before its first pixel is drawn. `above` is row i - 1, [batch, 1, width, n]:
   * its pixels, under the name PIXEL, and its features; zero for the first. `given` is this row's, [batch, 1, ...].
   * `drives` are [batch, width, n] and reach `pixel` column by column.
   */
  row(state: NamedTensors, above: NamedTensors, given: NamedTensors): RowResult;
  /** Logits [batch, outputs] of a pixel whose left neighbour is `left`, [batch, channels], zero for the first. */
  pixel(state: NamedTensors, left: Tensor, drives: NamedTensors): PixelResult;
}

export interface RowResult {
  readonly state: NamedTensors;
  readonly drives: NamedTensors;
}

export interface PixelResult {
  readonly state: NamedTensors;
  readonly logits: Tensor;
  /** [batch, n] by name. */
  readonly features: NamedTensors;
}

/** Name of the pixels among what a row shows to the one below. */
export const PIXEL = 'pixel';

export interface RasterOptions {
  /** What the row before the first one left; all zero at the top. What is given is the network's. */
  readonly state: Omit<RasterState, 'given'>;
  /** int32 scalars. */
  readonly firstRow: Tensor;
  readonly rowCount: Tensor;
  /** Whatever `draw` needs at each pixel, [batch, height, width, n] by name: noise, known values. */
  readonly inputs: NamedTensors;
  /** [batch, outputs] and the pixel's inputs [batch, n] -> the pixel [batch, channels]. */
  draw(logits: Tensor, inputs: NamedTensors): Tensor;
  /** Called after each row, to replace what has been drawn and remembered so far: particle filters choose here. */
  revise?(row: DrawnRow): RasterState;
}

export interface DrawnRow {
  /** int32 scalar */
  readonly row: Tensor;
  /** [batch, width, outputs] */
  readonly logits: Tensor;
  readonly state: RasterState;
}

/** What goes from row to row. */
export interface RasterState {
  /** [batch, height, width, channels], drawn down to the present row. */
  readonly image: Tensor;
  /** The last row drawn: pixels and features, [batch, 1, width, n]. */
  readonly above: NamedTensors;
  readonly rowState: NamedTensors;
  /** As the network's; `revise` may exchange rows of the batch. */
  readonly given: NamedTensors;
}

const IMAGE = 'image';
const ABOVE = 'above/';
const MEMORY = 'memory/';
const GIVEN = 'given/';
const DRIVE = 'drive/';
const INPUT = 'input/';

/** Draws rows `firstRow` to `firstRow + rowCount - 1`. */
export function drawRaster(network: RasterNetwork, options: RasterOptions): RasterState {
  const { revise } = options;
  const [batch, height, width, channels] = (options.state.image as Tensor4D).shape; // rank 4, by the contract above
  const noPixel = tf.zeros([batch, channels]);
  const noColumns = Object.fromEntries(
    Object.entries(network.columnState).map(([name, shape]) => [name, tf.zeros([batch, ...shape])]),
  );
  // What is given goes from row to row only where it can be exchanged: a graph reads what is outside a loop for nothing.
  const pack = (state: RasterState) => packState(revise ? state : { ...state, given: {} });
  const unpack = (tensors: NamedTensors) => {
    const state = unpackState(tensors);
    return revise ? state : { ...state, given: network.given };
  };
  const { carry } = scan({
    trips: { count: options.rowCount, most: height },
    carry: pack({ ...options.state, given: network.given }),
    body({ index, carry }) {
      const before = unpack(carry);
      const { given } = before;
      const row = tf.add(options.firstRow, index);
      const givenHere = mapTensors(given, x => (x.shape[1] === 1 ? x : tf.expandDims(tf.gather(x, row, 1), 1)));
      const { state: rowState, drives } = network.row(before.rowState, before.above, givenHere);
      const inputs = mapTensors(options.inputs, x => tf.gather(x, row, 1));
      const pixels = scan({
        trips: width,
        carry: { left: noPixel, ...prefixed(MEMORY, noColumns) } as NamedTensors,
        slices: mapTensors({ ...prefixed(DRIVE, drives), ...prefixed(INPUT, inputs) }, x => tf.transpose(x, [1, 0, 2])),
        body({ carry: { left, ...memory }, slices }) {
          const step = network.pixel(unprefixed(MEMORY, memory), left!, unprefixed(DRIVE, slices));
          const pixel = options.draw(step.logits, unprefixed(INPUT, slices));
          const shown = prefixed(ABOVE, { ...step.features, [PIXEL]: pixel });
          return {
            carry: { left: pixel, ...prefixed(MEMORY, step.state) },
            stacked: revise ? { ...shown, logits: step.logits } : shown,
          };
        },
      });
      const { logits, ...shown } = mapTensors(pixels.stacked, x => tf.transpose(x, [1, 0, 2]));
      const above = mapTensors(unprefixed(ABOVE, shown), x => tf.expandDims(x, 1));
      const here = tf.cast(tf.reshape(tf.oneHot(row, height), [1, height, 1, 1]), 'bool');
      // The pixels are among what was stacked.
      const state = { image: tf.where(here, above[PIXEL]!, before.image), above, rowState, given };
      return { carry: pack(revise && logits ? revise({ row, logits, state }) : state) };
    },
  });
  return unpack(carry);
}

/** Shapes, without the batch, of what one run leaves for the next, by the names that `packState` gives. */
export function stateShapes(
  network: RasterNetwork,
  [height, width, channels]: readonly [number, number, number],
): Record<string, readonly number[]> {
  const above = { ...network.features, [PIXEL]: channels };
  return {
    [IMAGE]: [height, width, channels],
    ...Object.fromEntries(Object.entries(above).map(([name, length]) => [`${ABOVE}${name}`, [1, width, length]])),
    ...Object.fromEntries(Object.entries(network.rowState).map(([name, shape]) => [`${MEMORY}${name}`, shape])),
  };
}

/** A state as one list of tensors by name. */
export function packState({ image, above, rowState, given }: RasterState): NamedTensors {
  return { [IMAGE]: image, ...prefixed(ABOVE, above), ...prefixed(MEMORY, rowState), ...prefixed(GIVEN, given) };
}

export function unpackState(tensors: NamedTensors): RasterState {
  return {
    image: tensors[IMAGE]!, // as `packState` named it
    above: unprefixed(ABOVE, tensors),
    rowState: unprefixed(MEMORY, tensors),
    given: unprefixed(GIVEN, tensors),
  };
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
