// The U-Net of Isola et al. 2017 (sec. 3.2.1 and 6.1.1): an encoder that halves a picture down to a bottleneck, a decoder that
// doubles it again, and skips that hand the maps of each level across.
import type { Tensor } from '@tensorflow/tfjs';
import type { NoiseSpec } from '../family.js';
import { leakyRelu } from '../nn/activations.js';
import { batchNorm, type NormMode } from '../nn/batch-norm.js';
import { convolution, transposedConvolution } from '../nn/convolution.js';
import { dropout } from '../nn/dropout.js';
import { inModule } from '../nn/module.js';
import type { Scope } from '../nn/variable.js';
import { tf } from '../trace/tensorflow.js';
import { type ImageSize, levelSizes } from './convolutional.js';
import { radfordWeights } from './image-gan.js';

export interface UNetSettings {
  /** Feature maps of the first level; each further one has twice as many, up to `widest` times as many. */
  readonly width: number;
  readonly widest: number;
  /** Times that the picture is halved: 32 -> 16 -> 8 -> 4 -> 2 -> 1. */
  readonly levels: number;
  /** Whether the maps of each level of the encoder join those of the decoder. */
  readonly skips: boolean;
  /** Share of the numbers that the first `dropoutLevels` levels of the decoder drop: the model's only noise. */
  readonly dropout: number;
  readonly dropoutLevels: number;
  readonly normDecay: number;
}

export interface UNet {
  /** Uniform numbers, one for each that may be dropped. */
  readonly noises: readonly NoiseSpec[];
  /** [batch, height, width, channels] -> [batch, height, width, outputs], linear in its last layer. */
  apply(x: Tensor, noise: Readonly<Record<string, Tensor>>, mode: NormMode): Tensor;
}

/** Height and width of the filters. */
const SIZE = 4;

export function uNet(scope: Scope, settings: UNetSettings, image: ImageSize, outputs: number): UNet {
  const { levels, skips, normDecay: decay } = settings;
  const { filter, gain } = radfordWeights;
  const sizes = levelSizes(image, levels);
  const channelsAt = (level: number) => settings.width * Math.min(settings.widest, 2 ** (level - 1));
  const normalised = (child: Scope, channels: number) => batchNorm(child.child('norm'), { channels, decay, gain });

  // C64-C128-C256-...: from level - 1 to level. The first is not normalised, nor is the bottleneck: a batch of one picture
  // of 1x1 would lose all that it says (the paper's errata).
  const encoders = Array.from({ length: levels }, (_, index) => {
    const level = index + 1;
    const child = scope.child(`encode${level}`);
    const bare = level === 1 || level === levels;
    const [inputs, channels] = [level === 1 ? image.channels : channelsAt(level - 1), channelsAt(level)];
    const halve = convolution(child, {
      ...{ inputs, outputs: channels, size: SIZE, stride: 2, filter },
      ...(!bare && { bias: 'none' as const }),
    });
    const normalise = bare ? undefined : normalised(child, channels);
    return (x: Tensor, mode: NormMode) => {
      const maps = halve(x);
      return leakyRelu(normalise ? normalise(maps, mode) : maps);
    };
  });

  // CD512-CD512-...-C64: from level + 1 to level, twice as wide where the encoder's maps of that level have joined.
  const noises: NoiseSpec[] = [];
  const inputsOf = (level: number) => channelsAt(level) * (skips && level < levels ? 2 : 1);
  const decoders = Array.from({ length: levels - 1 }, (_, index) => {
    const level = levels - 1 - index;
    const child = scope.child(`decode${level}`);
    const channels = channelsAt(level);
    const expand = transposedConvolution(child, {
      ...{ inputs: inputsOf(level + 1), outputs: channels, size: SIZE, to: sizes[level]!, filter, bias: 'none' },
    });
    const normalise = normalised(child, channels);
    const drops = settings.dropout > 0 && index < settings.dropoutLevels;
    const mask = `dropout${index + 1}`;
    if (drops) noises.push({ name: mask, distribution: 'uniform', shape: [...sizes[level]!, channels] });
    return (x: Tensor, noise: Readonly<Record<string, Tensor>>, mode: NormMode) => {
      const maps = normalise(expand(x), mode);
      return tf.relu(drops ? dropout(maps, noise[mask]!, settings.dropout) : maps);
    };
  });
  const output = transposedConvolution(scope.child('output'), {
    ...{ inputs: inputsOf(1), outputs, size: SIZE, to: sizes[0]!, filter },
  });

  return {
    noises,
    apply: (x, noise, mode) =>
      inModule(scope, () => {
        const encoded: Tensor[] = [];
        for (const encode of encoders) encoded.push(encode(encoded.at(-1) ?? x, mode));
        let maps = encoded.pop()!; // at least one level
        for (const decode of decoders) {
          const decoded = decode(maps, noise, mode);
          const across = encoded.pop()!; // of the same level
          maps = skips ? tf.concat([decoded, across], 3) : decoded;
        }
        return output(maps);
      }),
  };
}
