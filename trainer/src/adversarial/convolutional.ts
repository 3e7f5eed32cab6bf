// The networks of convolutional image GANs: a generator that doubles a map until it is a picture, and a discriminator that
// halves the picture on the way back (Radford et al. 2015, sec. 3).
import type { Tensor } from '@tensorflow/tfjs';
import { leakyRelu } from '../nn/activations.js';
import { batchNorm, type NormMode } from '../nn/batch-norm.js';
import { convolution, transposedConvolution } from '../nn/convolution.js';
import { dense } from '../nn/dense.js';
import { inModule } from '../nn/module.js';
import type { Initialiser, Scope } from '../nn/variable.js';
import { tf } from '../trace/tensorflow.js';

export interface ImageSize {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

export interface ConvolutionalSettings {
  /** Feature maps next to the picture; each level further has twice as many. */
  readonly width: number;
  /** Times that the picture is halved. */
  readonly levels: number;
  /** Units of a dense layer between the maps and the vector at the other end; 0 for none. */
  readonly hidden: number;
  /** Height and width of the filters. */
  readonly size: number;
  /** Decay of batch normalisation's running statistics; absent for none. */
  readonly normDecay?: number | undefined;
  /** As many feature maps at every level. */
  readonly constantWidth?: boolean | undefined;
  /** First values of filters and gains; He's rule and 1 when absent. */
  readonly filter?: Initialiser | undefined;
  readonly gain?: Initialiser | undefined;
}

export type Network = (x: Tensor, mode: NormMode) => Tensor;

/** [batch, inputs] -> [batch, height, width, channels], linear in its last layer. ReLU, normalised everywhere else. */
export function convolutionalGenerator(
  scope: Scope,
  settings: ConvolutionalSettings,
  image: ImageSize,
  inputs: number,
): Network {
  const { levels, hidden, size } = settings;
  const sizes = levelSizes(image, levels);
  const layers: Network[] = [];
  let units = inputs;
  if (hidden > 0) {
    layers.push(normalisedDense(scope.child('dense'), settings, units, hidden));
    units = hidden;
  }
  let channels = channelsAt(settings, levels);
  const [height, width] = sizes[levels]!;
  layers.push(normalisedDense(scope.child('project'), settings, units, height * width * channels, channels));
  layers.push(x => tf.reshape(x, [-1, height, width, channelsAt(settings, levels)]));
  for (let level = levels - 1; level >= 0; level--) {
    const last = level === 0;
    const child = scope.child(last ? 'output' : `convolution${levels - level}`);
    const outputs = last ? image.channels : channelsAt(settings, level);
    const expand = transposedConvolution(child, {
      ...{ inputs: channels, outputs, size, to: sizes[level]! },
      ...linear(settings, !last),
    });
    layers.push(x => expand(x));
    if (!last) layers.push(normalise(child, settings, outputs), x => tf.relu(x));
    channels = outputs;
  }
  return inOrder(scope, layers);
}

/** [batch, height, width, channels] -> features [batch, units]. Leaky ReLU; normalised but for the first layer. */
export function convolutionalDiscriminator(
  scope: Scope,
  settings: ConvolutionalSettings,
  image: ImageSize,
): { features: Network; units: number } {
  const { levels, hidden, size } = settings;
  const layers: Network[] = [];
  let { channels } = image;
  for (let level = 1; level <= levels; level++) {
    const child = scope.child(`convolution${level}`);
    const outputs = channelsAt(settings, level);
    const halve = convolution(child, {
      ...{ inputs: channels, outputs, size, stride: 2 },
      ...linear(settings, level > 1),
    });
    layers.push(x => halve(x));
    if (level > 1) layers.push(normalise(child, settings, outputs));
    layers.push(x => leakyRelu(x));
    channels = outputs;
  }
  const [height, width] = levelSizes(image, levels)[levels]!;
  let units = height * width * channels;
  const flat = units;
  layers.push(x => tf.reshape(x, [-1, flat]));
  if (hidden > 0) {
    const child = scope.child('dense');
    const connect = dense(child, { inputs: units, outputs: hidden, ...kernel(settings, true) });
    layers.push(
      x => connect(x),
      normalise(child, settings, hidden),
      x => leakyRelu(x),
    );
    units = hidden;
  }
  return { features: inOrder(scope, layers), units };
}

/** Height and width at each level: 28 -> 14 -> 7 -> 4. */
export function levelSizes({ height, width }: ImageSize, levels: number): (readonly [number, number])[] {
  const sizes: (readonly [number, number])[] = [[height, width]];
  for (let level = 1; level <= levels; level++) {
    const [above, across] = sizes.at(-1)!;
    sizes.push([Math.ceil(above / 2), Math.ceil(across / 2)]);
  }
  return sizes;
}

function channelsAt({ width, constantWidth }: ConvolutionalSettings, level: number): number {
  return constantWidth ? width : width * 2 ** (level - 1);
}

/** ReLU(norm(x W)); `channels` are normalised apart where the units are pixels of a map. */
function normalisedDense(
  scope: Scope,
  settings: ConvolutionalSettings,
  inputs: number,
  outputs: number,
  channels = outputs,
): Network {
  const connect = dense(scope, { inputs, outputs, ...kernel(settings, true) });
  const normalised = normalise(scope, settings, channels);
  return (x, mode) => {
    const maps = tf.reshape(connect(x), [-1, outputs / channels, channels]);
    return tf.relu(tf.reshape(normalised(maps, mode), [-1, outputs]));
  };
}

function normalise(scope: Scope, { normDecay, gain }: ConvolutionalSettings, channels: number): Network {
  if (normDecay === undefined) return x => x;
  return batchNorm(scope.child('norm'), { channels, decay: normDecay, ...(gain && { gain }) });
}

/** A layer that normalisation follows has no bias. */
function linear({ filter, normDecay }: ConvolutionalSettings, followed: boolean) {
  return { ...(filter && { filter }), ...(followed && normDecay !== undefined && { bias: 'none' as const }) };
}

function kernel(settings: ConvolutionalSettings, followed: boolean) {
  const { filter, ...rest } = linear(settings, followed);
  return { ...rest, ...(filter && { kernel: filter }) };
}

function inOrder(scope: Scope, layers: readonly Network[]): Network {
  return (x, mode) => inModule(scope, () => layers.reduce((value, layer) => layer(value, mode), x));
}
