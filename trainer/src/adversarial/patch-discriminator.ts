// PatchGAN (Isola et al. 2017, sec. 3.2.2 and 6.1.2): a discriminator that judges every patch of a picture by itself.
import type { Tensor } from '@tensorflow/tfjs';
import { leakyRelu } from '../nn/activations.js';
import { batchNorm, type NormMode } from '../nn/batch-norm.js';
import { convolution } from '../nn/convolution.js';
import { inModule } from '../nn/module.js';
import type { Scope } from '../nn/variable.js';
import type { Network } from './convolutional.js';
import { radfordWeights } from './image-gan.js';

export interface PatchSettings {
  /** Feature maps of the first layer; each further one has twice as many, up to eight times as many. */
  readonly width: number;
  /** Layers that halve the picture; one that keeps its size and the verdict follow. 1: patches of 16x16; 3: of 70x70. */
  readonly layers: number;
  readonly normDecay: number;
}

/** Height and width of the filters. */
const SIZE = 4;

/** [batch, height, width, channels] -> logits of "this patch is real" [batch, height / 2^layers, width / 2^layers, 1]. */
export function patchDiscriminator(scope: Scope, settings: PatchSettings, channels: number): Network {
  const { width, layers, normDecay: decay } = settings;
  const { filter, gain } = radfordWeights;
  let inputs = channels;
  const convolutions = Array.from({ length: layers + 1 }, (_, index) => {
    const child = scope.child(`convolution${index + 1}`);
    const outputs = width * Math.min(8, 2 ** index);
    const bare = index === 0;
    const convolve = convolution(child, {
      ...{ inputs, outputs, size: SIZE, stride: index < layers ? 2 : 1, filter },
      ...(!bare && { bias: 'none' as const }),
    });
    const normalise = bare ? undefined : batchNorm(child.child('norm'), { channels: outputs, decay, gain });
    inputs = outputs;
    return (x: Tensor, mode: NormMode) => leakyRelu(normalise ? normalise(convolve(x), mode) : convolve(x));
  });
  const verdict = convolution(scope.child('verdict'), { inputs, outputs: 1, size: SIZE, filter });
  return (x, mode) => inModule(scope, () => verdict(convolutions.reduce((maps, layer) => layer(maps, mode), x)));
}
