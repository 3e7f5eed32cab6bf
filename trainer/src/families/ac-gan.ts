// AC-GAN (Odena et al. 2016): a generator that is told a class, and a discriminator with two heads, one for the source of a
// picture and one for its class; both networks want the class to be right. Both are DCGAN's: with the paper's discriminator
// (3x3 convolutions of stride 2 and 1 in turn, dropout, with or without normalisation) every picture of a digit soon was
// the same one. On MNIST the classifier score of 1,000 samples was 5.9 of 10 after 5,000 steps; here it is 9.6 after 2,500.
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
import { discriminatorLoss, generatorLoss, isCorrect, labelLoss } from '../adversarial/losses.js';
import type { Family, NoiseSpec } from '../family.js';
import type { NormMode } from '../nn/batch-norm.js';
import { dense } from '../nn/dense.js';
import { tf } from '../trace/tensorflow.js';
import { classCount, imageOf, imagePort } from './image-data.js';

const configuration = z.strictObject({
  ...convolutionalGame,
  /** Weights of the class in the discriminator's and in the generator's loss: far above 1, classes collapse. */
  discriminatorClassWeight: z.number().min(0).default(1),
  generatorClassWeight: z.number().min(0).default(1),
});

export type AcGanConfiguration = z.infer<typeof configuration>;

const presets = { small: smallGame, wide: {} };

export const acGan: Family<AcGanConfiguration> = {
  name: 'ac-gan',
  paper: 'Odena et al. 2016, Conditional Image Synthesis with Auxiliary Classifier GANs',
  url: 'https://arxiv.org/abs/1610.09585',
  configuration,
  presets,
  defaultPreset: 'small',
  training: radfordTraining,

  build(settings, domain, scope) {
    const image = imageOf('ac-gan', domain);
    const classes = classCount(image, 'ac-gan');
    const { latent } = settings;
    const [generatorScope, discriminatorScope] = [scope.child('generator'), scope.child('discriminator')];

    // G(c, z): the class as one of K beside the noise.
    const networks = { ...settings, ...radfordWeights };
    const pictures = convolutionalGenerator(generatorScope, networks, image, latent + classes);
    const G = (code: Tensor, label: Tensor, mode: NormMode) => {
      const condition = tf.oneHot(label, classes, 1, 0, 'float32');
      return tanhPixels(pictures(tf.concat([code, condition], 1), mode));
    };

    // D(x): the logit of P(S = real | x), and the logits of P(C | x).
    const body = convolutionalDiscriminator(discriminatorScope, networks, image);
    const source = dense(discriminatorScope.child('source'), {
      inputs: body.units,
      outputs: 1,
      kernel: radfordWeights.filter,
    });
    const verdict = dense(discriminatorScope.child('class'), { inputs: body.units, outputs: classes });
    const D = (x: Tensor, mode: NormMode) => {
      const features = body.features(toSymmetric(x), mode);
      return { source: tf.squeeze(source(features), [1]), class: verdict(features) };
    };

    const noise = latentNoise(latent);
    const classNoise: NoiseSpec = { name: 'class', distribution: 'uniform', shape: [] };
    const classOf = (uniform: Tensor) => tf.cast(tf.floor(tf.mul(uniform, classes)), 'int32');
    const blur = instanceNoise(settings.instanceNoise, [image.height, image.width, image.channels]);

    const served = imageGanOperations({
      ...{ image, latent, conditional: true },
      generate: (code, label) => G(code, label!, 'serve'), // conditional: every call has a label
      criticise: x => D(x, 'serve').source,
    });
    return {
      stages: game(
        {
          // Maximises L_S + L_C, eq. 2 and 3: the class of real and of generated pictures.
          name: 'discriminator',
          parameters: discriminatorScope.trainable(),
          noises: [noise, classNoise, ...blur.noises('real', 'fake')],
          coefficients: blur.coefficients,
          usesLabel: true,
          repeats: settings.discriminatorSteps,
          loss(inputs) {
            const label = classOf(inputs.noise.class!);
            const generated = G(inputs.noise.z!, label, 'batch');
            const real = D(blur.apply(inputs.data, 'real', inputs), 'train');
            const fake = D(blur.apply(generated, 'fake', inputs), 'train');
            const sourceLoss = discriminatorLoss(real.source, fake.source, settings.labelSmoothing);
            const classLoss = tf.add(labelLoss(real.class, inputs.label!), labelLoss(fake.class, label));
            return {
              loss: tf.add(sourceLoss, tf.mul(settings.discriminatorClassWeight, classLoss)),
              metrics: { source: sourceLoss, class: classLoss },
            };
          },
        },
        {
          // Maximises L_C - L_S.
          name: 'generator',
          parameters: generatorScope.trainable(),
          noises: [noise, classNoise, ...blur.noises('fake')],
          coefficients: blur.coefficients,
          repeats: settings.generatorSteps,
          loss(inputs) {
            const label = classOf(inputs.noise.class!);
            const generated = blur.apply(G(inputs.noise.z!, label, 'train'), 'fake', inputs);
            const fake = D(generated, 'batch');
            const [sourceLoss, classLoss] = [generatorLoss(fake.source), labelLoss(fake.class, label)];
            return {
              loss: tf.add(sourceLoss, tf.mul(settings.generatorClassWeight, classLoss)),
              metrics: { source: sourceLoss, class: classLoss },
            };
          },
        },
      ),
      // Whether D finds the class of held-out pictures, and the class that G was told.
      validation: {
        noises: [noise, classNoise],
        usesLabel: true,
        run({ data, label, noise }) {
          const told = classOf(noise.class!);
          return {
            class_accuracy: isCorrect(D(data, 'serve').class, label!),
            generated_class_accuracy: isCorrect(D(G(noise.z!, told, 'serve'), 'serve').class, told),
          };
        },
      },
      ...served,
      operations: [
        ...served.operations,
        {
          name: 'classify',
          inputs: [imagePort(image)],
          outputs: [{ name: 'logits', role: 'logits', shape: [classes] }],
          run: inputs => ({ logits: D(inputs.x!, 'serve').class }),
        },
      ],
      conditions: [{ kind: 'label', size: classes, names: image.labels, frequencies: [] }],
    };
  },
};
