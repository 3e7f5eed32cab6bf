// Encoder and decoder networks for images, described by data: convolutions, then dense layers, mirrored on the way back.
import { GenserveError } from '@genserve/runtime';
import type { Tensor, Tensor2D } from '@tensorflow/tfjs';
import { z } from 'zod';
import { tf } from '../trace/tensorflow.js';
import { type ActivationName, activations } from './activations.js';
import { convolution, transposedConvolution } from './convolution.js';
import { dense } from './dense.js';
import { fanInNormal } from './initialisers.js';
import { inModule } from './module.js';
import type { Scope } from './variable.js';

const layer = z.strictObject({
  channels: z.int().positive(),
  stride: z.union([z.literal(1), z.literal(2)]).default(1),
  /** Height and width of the filter. */
  size: z.int().positive().default(3),
});

/** The part of a family's configuration that describes its networks. */
export const imageNetworkShape = {
  /** Convolutions of the encoder, from the image on; none for a network of dense layers alone. */
  encoder: z.array(layer).default([]),
  /** Convolutions of the decoder, from the code on; one of stride 2 is transposed and undoes the encoder's in reverse. */
  decoder: z.array(layer).default([]),
  /** Dense layers between the convolutions and the code, from the image's side; the decoder has them in reverse. */
  hidden: z.array(z.int().positive()).default([]),
  activation: z.enum(['relu', 'elu', 'tanh', 'swish', 'leakyRelu']).default('relu'),
} as const;

export interface ImageNetworkSettings {
  readonly encoder: readonly z.infer<typeof layer>[];
  readonly decoder: readonly z.infer<typeof layer>[];
  readonly hidden: readonly number[];
  readonly activation: ActivationName;
}

type Size = readonly [height: number, width: number];

export interface ImageSize {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** One halving: a map of size `from` is brought to `padded`, where a later halving needs it even. */
interface Halving {
  readonly from: Size;
  readonly to: Size;
  readonly padded: Size;
}

/**
 * The sizes that maps pass through. A map of odd size is padded where it will be halved again, so that every
 * transposed convolution doubles: 28 -> 14 -> 7, padded to 8 -> 4 (Gulrajani et al. 2017, appendix A).
 */
function halvings(encoder: ImageNetworkSettings['encoder'], image: ImageSize): Halving[] {
  const count = encoder.filter(({ stride }) => stride === 2).length;
  const result: Halving[] = [];
  let size: Size = [image.height, image.width];
  for (let index = 0; index < count; index++) {
    const to: Size = [Math.ceil(size[0] / 2), Math.ceil(size[1] / 2)];
    const padded: Size = index === count - 1 ? to : [to[0] + (to[0] % 2), to[1] + (to[1] % 2)];
    result.push({ from: size, to, padded });
    size = padded;
  }
  return result;
}

const sameSize = (a: Size, b: Size): boolean => a[0] === b[0] && a[1] === b[1];

/** [batch, height, width, channels] -> [batch, outputs], linear in its last layer. */
export function imageEncoder(
  scope: Scope,
  settings: ImageNetworkSettings,
  image: ImageSize,
  outputs: number,
): (x: Tensor) => Tensor2D {
  const activate = activations[settings.activation];
  const remaining = halvings(settings.encoder, image);
  const layers: ((x: Tensor) => Tensor)[] = [];
  let channels = image.channels;
  for (const [index, options] of settings.encoder.entries()) {
    const convolve = convolution(scope.child(`convolution${index + 1}`), {
      ...options,
      inputs: channels,
      outputs: options.channels,
    });
    layers.push(x => activate(convolve(x)));
    const halving = options.stride === 2 ? remaining.shift() : undefined;
    if (halving && !sameSize(halving.to, halving.padded)) layers.push(padTo(halving));
    channels = options.channels;
  }
  const flat = codeMap(settings.encoder, image).size;
  layers.push(x => tf.reshape(x, [-1, flat]));
  let width = flat;
  for (const [index, units] of settings.hidden.entries()) {
    const connect = dense(scope.child(`dense${index + 1}`), { inputs: width, outputs: units });
    layers.push(x => activate(connect(x)));
    width = units;
  }
  // Near 0 at first: a posterior starts near the prior.
  const kernel = fanInNormal(width, 0.1);
  const last = dense(scope.child('output'), { inputs: width, outputs, kernel });
  return x => inModule(scope, () => last(layers.reduce((hidden, apply) => apply(hidden), x)));
}

/** [batch, inputs] -> [batch, height, width, outputChannels], linear in its last layer. */
export function imageDecoder(
  scope: Scope,
  settings: ImageNetworkSettings,
  image: ImageSize,
  inputs: number,
  outputChannels: number,
): (z: Tensor) => Tensor {
  const activate = activations[settings.activation];
  const layers: ((x: Tensor) => Tensor)[] = [];
  const map = codeMap(settings.encoder, image);
  const convolutional = settings.decoder.length > 0;
  const units = [...settings.hidden.toReversed(), ...(convolutional ? [map.size] : [])];
  let width = inputs;
  for (const [index, outputs] of units.entries()) {
    const connect = dense(scope.child(`dense${index + 1}`), { inputs: width, outputs });
    layers.push(x => activate(connect(x)));
    width = outputs;
  }
  if (!convolutional) {
    const outputs = image.height * image.width * outputChannels;
    const connect = dense(scope.child('output'), { inputs: width, outputs });
    layers.push(x => tf.reshape(connect(x), [-1, image.height, image.width, outputChannels]));
    return z => inModule(scope, () => layers.reduce((hidden, apply) => apply(hidden), z));
  }
  layers.push(x => tf.reshape(x, [-1, map.height, map.width, map.channels]));
  const remaining = halvings(settings.encoder, image);
  let size: Size = [map.height, map.width];
  let channels = map.channels;
  for (const [index, options] of settings.decoder.entries()) {
    const shape = { inputs: channels, outputs: options.channels, size: options.size };
    const layerScope = scope.child(`convolution${index + 1}`);
    if (options.stride === 2) {
      const halving = remaining.pop();
      if (!halving) throw mismatch('more');
      if (!sameSize(halving.to, size)) layers.push(cropTo(halving.to));
      const expand = transposedConvolution(layerScope, { ...shape, to: halving.from });
      layers.push(x => activate(expand(x)));
      size = halving.from;
    } else {
      const convolve = convolution(layerScope, shape);
      layers.push(x => activate(convolve(x)));
    }
    channels = options.channels;
  }
  if (remaining.length > 0) throw mismatch('less');
  const last = convolution(scope.child('output'), { inputs: channels, outputs: outputChannels, size: 1 });
  return z => inModule(scope, () => last(layers.reduce((hidden, apply) => apply(hidden), z)));
}

/** Size of the map between convolutions and dense layers; `size` is its product. */
function codeMap(encoder: ImageNetworkSettings['encoder'], image: ImageSize) {
  const [height, width] = halvings(encoder, image).at(-1)?.padded ?? [image.height, image.width];
  const channels = encoder.at(-1)?.channels ?? image.channels;
  return { height, width, channels, size: height * width * channels };
}

function mismatch(how: 'more' | 'less'): GenserveError {
  const message = `configuration.decoder: doubles ${how} often than the encoder halves; give both as many layers of stride 2`;
  return new GenserveError('CONFIGURATION_INVALID', message, { field: 'configuration.decoder' });
}

function padTo({ to, padded }: Halving): (x: Tensor) => Tensor {
  return x =>
    tf.pad(x, [
      [0, 0],
      [0, padded[0] - to[0]],
      [0, padded[1] - to[1]],
      [0, 0],
    ]);
}

function cropTo([height, width]: Size): (x: Tensor) => Tensor {
  // -1 keeps the whole of a dimension.
  return x => tf.slice(x, [0, 0, 0, 0], [-1, height, width, -1]);
}
