// pix2pix (Isola et al. 2017): a generator that draws what a picture becomes, and a discriminator that sees both pictures and
// tells whether the second is real.
import { type Domain, GenserveError, type ImageDomain } from '@genserve/runtime';
import type { Tensor } from '@tensorflow/tfjs';
import { z } from 'zod';
import { AVERAGE, game, radfordTraining, tanhPixels, toSymmetric } from '../adversarial/image-gan.js';
import { discriminatorLoss, generatorLoss } from '../adversarial/losses.js';
import { patchDiscriminator } from '../adversarial/patch-discriminator.js';
import { uNet } from '../adversarial/u-net.js';
import type { Family, PortSpec } from '../family.js';
import type { NormMode } from '../nn/batch-norm.js';
import { tf } from '../trace/tensorflow.js';
import { imageOf, imagePort } from './image-data.js';

const configuration = z.strictObject({
  /** Generator: feature maps of its first level; each further one has twice as many, up to `widest` times as many. */
  width: z.int().positive().default(64),
  widest: z.int().positive().default(8),
  /** Times that the picture is halved: 32 -> 16 -> 8 -> 4 -> 2 -> 1. */
  levels: z.int().min(1).max(9).default(5),
  /** False: an encoder and a decoder of the same layers, with nothing across (sec. 4.2, "encoder-decoder"). */
  skips: z.boolean().default(true),
  /** Share of what the first levels of the decoder drop, in serving as well: it is the noise of the model (sec. 3.2). */
  dropout: z.number().min(0).lt(1).default(0.5),
  dropoutLevels: z.int().min(0).default(3),
  /** Discriminator: feature maps of its first layer, and layers that halve. 1: patches of 16x16; 3: of 70x70. */
  discriminatorWidth: z.int().positive().default(64),
  discriminatorLayers: z.int().min(1).max(6).default(1),
  /** lambda of eq. 4: the weight of the L1 distance, of pixels in [-1, 1]. */
  distanceWeight: z.number().min(0).default(100),
  /** Decay of the running statistics of batch normalisation. */
  normDecay: z.number().min(0).lt(1).default(AVERAGE),
});

export type Pix2pixConfiguration = z.infer<typeof configuration>;

const small = { width: 32, widest: 4, discriminatorWidth: 32 };

const presets = {
  /** What ships: a bundle of at most 4 MB in float16 at 32x32. */
  small,
  'no-skips': { ...small, skips: false },
  /** The widths of the paper, for pictures of 32x32. */
  paper: {},
};

export const pix2pix: Family<Pix2pixConfiguration> = {
  name: 'pix2pix',
  paper: 'Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial Networks',
  url: 'https://arxiv.org/abs/1611.07004',
  configuration,
  presets,
  defaultPreset: 'small',
  // Sec. 3.3: Adam at 2e-4 with beta1 0.5, batches of 1 to 10.
  training: { ...radfordTraining, batch: 10 },

  build(settings, domain, scope, target) {
    const input = imageOf('pix2pix', domain);
    const output = outputOf(input, target);
    const [generatorScope, discriminatorScope] = [scope.child('generator'), scope.child('discriminator')];

    // G(x, z), z being what dropout drops.
    const network = uNet(generatorScope, settings, input, output.channels);
    const G = (x: Tensor, noise: Readonly<Record<string, Tensor>>, mode: NormMode) =>
      tanhPixels(network.apply(toSymmetric(x), noise, mode));

    // D(x, y): a logit for each patch.
    const { discriminatorWidth: width, discriminatorLayers: layers, normDecay } = settings;
    const patches = patchDiscriminator(
      discriminatorScope,
      { width, layers, normDecay },
      input.channels + output.channels,
    );
    const D = (x: Tensor, y: Tensor, mode: NormMode) => patches(toSymmetric(tf.concat([x, y], 3)), mode);

    const { noises } = network;
    const paired = [output.height, output.width, output.channels];
    const [x, y]: PortSpec[] = [imagePort(input), { ...imagePort(output), name: 'y' }];
    return {
      stages: game(
        {
          name: 'discriminator',
          parameters: discriminatorScope.trainable(),
          noises,
          target: paired,
          loss({ data, target, noise }) {
            const real = D(data, target!, 'train');
            const fake = D(data, G(data, noise, 'batch'), 'train');
            return {
              // Halved, so that D learns more slowly than G (sec. 3.3).
              loss: tf.mul(0.5, discriminatorLoss(real, fake)),
              metrics: { real: tf.mean(tf.sigmoid(real)), generated: tf.mean(tf.sigmoid(fake)) },
            };
          },
        },
        {
          name: 'generator',
          parameters: generatorScope.trainable(),
          noises,
          target: paired,
          loss({ data, target, noise }) {
            const made = G(data, noise, 'train');
            const adversarial = generatorLoss(D(data, made, 'batch'));
            const distance = tf.mean(tf.abs(tf.sub(toSymmetric(target!), toSymmetric(made))));
            return {
              loss: tf.add(adversarial, tf.mul(settings.distanceWeight, distance)), // eq. 4
              metrics: { adversarial, l1: tf.div(distance, 2) },
            };
          },
        },
      ),
      // Mean absolute difference of pixels in [0, 1].
      validation: {
        noises,
        target: paired,
        run: ({ data, target, noise }) => ({
          l1: tf.mean(tf.abs(tf.sub(target!, G(data, noise, 'serve'))), [1, 2, 3]),
        }),
      },
      operations: [
        {
          name: 'translate',
          inputs: [x!, ...noises.map(({ name, shape }): PortSpec => ({ name, role: 'noise', shape }))],
          outputs: [y!],
          run: ({ x, ...noise }) => ({ y: G(x!, noise, 'serve') }),
        },
      ],
      noises,
      likelihood: { kind: 'none', dimensions: 0, measure: '' },
      conditions: [],
    };
  },
};

/** Throws CONFIGURATION_INVALID where there are no targets, or where they are not pictures of the size of the data's. */
function outputOf(input: ImageDomain, target: Domain | undefined): ImageDomain {
  const wrong = (message: string) =>
    new GenserveError('CONFIGURATION_INVALID', `pix2pix: ${message}`, { field: 'data' });
  if (!target?.image) throw wrong('the data must be pairs of pictures; emoji-pairs is such a set');
  const { height, width } = target.image;
  if (height === input.height && width === input.width) return target.image;
  throw wrong(`pictures of ${input.height}x${input.width} cannot become ones of ${height}x${width}`);
}
