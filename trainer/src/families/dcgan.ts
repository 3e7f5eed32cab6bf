// DCGAN (Radford et al. 2015): the adversarial game of Goodfellow et al. 2014 between two convolutional networks, batch
// normalisation in both.
import type { Tensor } from '@tensorflow/tfjs';
import { z } from 'zod';
import { convolutionalDiscriminator, convolutionalGenerator } from '../adversarial/convolutional.js';
import { convolutionalGame, smallGame } from '../adversarial/convolutional-game.js';
import {
  game,
  imageGanOperations,
  latentNoise,
  radfordTraining,
  radfordWeights,
  tanhPixels,
  toSymmetric,
} from '../adversarial/image-gan.js';
import { instanceNoise } from '../adversarial/instance-noise.js';
import { discriminatorLoss, generatorLoss } from '../adversarial/losses.js';
import type { Family } from '../family.js';
import type { NormMode } from '../nn/batch-norm.js';
import { dense } from '../nn/dense.js';
import { tf } from '../trace/tensorflow.js';
import { imageOf } from './image-data.js';

const configuration = z.strictObject({
  ...convolutionalGame,
  /** 'none': the verdict on a picture does not depend on those beside it, as a score must not. */
  discriminatorNorm: z.enum(['batch', 'none']).default('batch'),
});

export type DcganConfiguration = z.infer<typeof configuration>;

const presets = {
  small: smallGame,
  /** For anomaly scores by the discriminator: batch statistics tell real batches from generated ones too easily. */
  scoring: { ...smallGame, discriminatorNorm: 'none' },
  /** The size that the authors' code has for MNIST. */
  paper: { width: 64, hidden: 1024 },
};

export const dcgan: Family<DcganConfiguration> = {
  name: 'dcgan',
  paper:
    'Radford et al. 2015, Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks',
  url: 'https://arxiv.org/abs/1511.06434',
  configuration,
  presets,
  defaultPreset: 'small',
  training: radfordTraining,

  build(settings, domain, scope) {
    const image = imageOf('dcgan', domain);
    const noise = latentNoise(settings.latent);
    const networks = { ...settings, ...radfordWeights };
    const [generatorScope, discriminatorScope] = [scope.child('generator'), scope.child('discriminator')];

    // G(z)
    const pictures = convolutionalGenerator(generatorScope, networks, image, settings.latent);
    const G = (code: Tensor, mode: NormMode) => tanhPixels(pictures(code, mode));

    // D(x): the logit of "x is real". No normalisation of what comes in or goes out.
    const normDecay = settings.discriminatorNorm === 'batch' ? settings.normDecay : undefined;
    const body = convolutionalDiscriminator(discriminatorScope, { ...networks, normDecay }, image);
    const verdict = dense(discriminatorScope.child('verdict'), {
      inputs: body.units,
      outputs: 1,
      kernel: radfordWeights.filter,
    });
    const D = (x: Tensor, mode: NormMode) => {
      const features = body.features(toSymmetric(x), mode);
      return tf.squeeze(verdict(features), [1]);
    };

    const blur = instanceNoise(settings.instanceNoise, [image.height, image.width, image.channels]);
    return {
      stages: game(
        {
          name: 'discriminator',
          parameters: discriminatorScope.trainable(),
          noises: [noise, ...blur.noises('real', 'fake')],
          coefficients: blur.coefficients,
          repeats: settings.discriminatorSteps,
          // Real and generated pictures are batches of their own: each is normalised by its own statistics.
          loss(inputs) {
            const real = D(blur.apply(inputs.data, 'real', inputs), 'train');
            const fake = D(blur.apply(G(inputs.noise.z!, 'batch'), 'fake', inputs), 'train');
            return {
              loss: discriminatorLoss(real, fake, settings.labelSmoothing),
              metrics: { real: tf.mean(tf.sigmoid(real)), generated: tf.mean(tf.sigmoid(fake)) },
            };
          },
        },
        {
          name: 'generator',
          parameters: generatorScope.trainable(),
          noises: [noise, ...blur.noises('fake')],
          coefficients: blur.coefficients,
          repeats: settings.generatorSteps,
          loss(inputs) {
            const fake = blur.apply(G(inputs.noise.z!, 'train'), 'fake', inputs);
            return { loss: generatorLoss(D(fake, 'batch')) };
          },
        },
      ),
      // Held-out pictures should look as real to D as those that it was trained on.
      validation: {
        noises: [noise],
        run: ({ data, noise }) => ({
          discriminator_held_out: tf.sigmoid(D(data, 'serve')),
          discriminator_generated: tf.sigmoid(D(G(noise.z!, 'serve'), 'serve')),
        }),
      },
      ...imageGanOperations({
        image,
        latent: settings.latent,
        generate: code => G(code, 'serve'),
        criticise: x => D(x, 'serve'),
      }),
      conditions: [],
    };
  },
};
