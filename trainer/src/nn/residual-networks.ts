// Encoder and decoder of van den Oord et al. 2017, sec. 4.1: strided convolutions and residual blocks between a picture and
// a map of vectors, with no dense layer, so that every vector stays in its place.
import type { Tensor } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';
import { convolution, transposedConvolution } from './convolution.js';
import type { ImageSize } from './image-networks.js';
import { inModule } from './module.js';
import { residualBlock } from './residual-block.js';
import type { Scope } from './variable.js';

export interface ResidualNetworkOptions {
  readonly image: ImageSize;
  /** Feature maps of the map; half as many for each doubling of its size. */
  readonly channels: number;
  /** Times that the picture is halved. */
  readonly levels: number;
  readonly blocks: number;
  readonly blockChannels: number;
  /** Length of the map's vectors. */
  readonly dimensions: number;
}

type Size = readonly [height: number, width: number];

/** From the picture to the map: sizes before, between and after the halvings. */
function sizesOf({ image: { height, width }, levels }: ResidualNetworkOptions): Size[] {
  const halved = (side: number, times: number): number => Math.ceil(side / 2 ** times);
  return Array.from({ length: levels + 1 }, (_, level) => [halved(height, level), halved(width, level)]);
}

export const mapSize = (options: ResidualNetworkOptions): Size => sizesOf(options)[options.levels]!; // one more than levels

/** Feature maps after so many halvings. */
const channelsAt = ({ channels, levels }: ResidualNetworkOptions, level: number): number =>
  Math.max(1, Math.round(channels / 2 ** (levels - level)));

/** [batch, ...image] -> [batch, ...mapSize, dimensions], linear in its last layer. */
export function residualEncoder(scope: Scope, options: ResidualNetworkOptions): (x: Tensor) => Tensor {
  const { image, channels, levels, dimensions } = options;
  const layers: ((x: Tensor) => Tensor)[] = [];
  for (let level = 1; level <= levels; level++) {
    const inputs = level === 1 ? image.channels : channelsAt(options, level - 1);
    const shape = { inputs, outputs: channelsAt(options, level), size: 4, stride: 2 };
    const halve = convolution(scope.child(`halving${level}`), shape);
    layers.push(x => tf.relu(halve(x)));
  }
  layers.push(convolution(scope.child('convolution'), { inputs: channels, outputs: channels }));
  layers.push(...blocksOf(scope, options));
  layers.push(convolution(scope.child('output'), { inputs: channels, outputs: dimensions, size: 1 }));
  return x => inModule(scope, () => layers.reduce((value, apply) => apply(value), x));
}

/** [batch, ...mapSize, dimensions] -> [batch, ...image], linear in its last layer. */
export function residualDecoder(scope: Scope, options: ResidualNetworkOptions): (z: Tensor) => Tensor {
  const { image, channels, levels, dimensions } = options;
  const sizes = sizesOf(options);
  const layers: ((z: Tensor) => Tensor)[] = [];
  layers.push(convolution(scope.child('convolution'), { inputs: dimensions, outputs: channels }));
  layers.push(...blocksOf(scope, options));
  for (let level = levels; level >= 1; level--) {
    const outputs = level === 1 ? image.channels : channelsAt(options, level - 1);
    const shape = { inputs: channelsAt(options, level), outputs, size: 4, to: sizes[level - 1]! };
    const double = transposedConvolution(scope.child(`doubling${level}`), shape);
    layers.push(level === 1 ? double : z => tf.relu(double(z)));
  }
  return z => inModule(scope, () => layers.reduce((value, apply) => apply(value), z));
}

/** The residual blocks and the rectifier after them. */
function blocksOf(
  scope: Scope,
  { blocks, blockChannels, channels }: ResidualNetworkOptions,
): ((x: Tensor) => Tensor)[] {
  const each = Array.from({ length: blocks }, (_, index) =>
    residualBlock(scope.child(`block${index + 1}`), { channels, hidden: blockChannels }),
  );
  return [...each, x => tf.relu(x)];
}
