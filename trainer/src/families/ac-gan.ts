// AC-GAN (Odena et al. 2016): a generator that is told a class, and a discriminator with two heads, one for the source of a
// picture and one for its class; both networks want the class to be right.
import type { ImageDomain } from '@genserve/runtime';
import type { Tensor } from '@tensorflow/tfjs';
import { z } from 'zod';
import { convolutionalGenerator } from '../adversarial/convolutional.js';
import {
  AVERAGE,
  game,
  imageGanOperations,
  latentNoise,
  radfordTraining,
  radfordWeights,
  tanhPixels,
  toSymmetric,
} from '../adversarial/image-gan.js';
import { instanceNoise, instanceNoiseSettings } from '../adversarial/instance-noise.js';
import { discriminatorLoss, generatorLoss, isCorrect, labelLoss } from '../adversarial/losses.js';
import type { Family, NoiseSpec } from '../family.js';
import { leakyRelu } from '../nn/activations.js';
import type { NormMode } from '../nn/batch-norm.js';
import { convolution } from '../nn/convolution.js';
import { dense } from '../nn/dense.js';
import { dropout } from '../nn/dropout.js';
import { inModule } from '../nn/module.js';
import type { Scope } from '../nn/variable.js';
import { tf } from '../trace/tensorflow.js';
import { classCount, imageOf, imagePort } from './image-data.js';

const configuration = z.strictObject({
  /** Size of the noise z. */
  latent: z.int().positive().default(100),
  /** Generator: feature maps next to the picture; each level further has twice as many. */
  generatorWidth: z.int().positive().default(64),
  /** Generator: units of a dense layer between z and the maps; 0 for none. */
  hidden: z.int().min(0).default(1024),
  /** Discriminator: feature maps of its first layer; each layer has twice as many as the one before. */
  discriminatorWidth: z.int().positive().default(16),
  /** Times that the picture is halved: 28 -> 14 -> 7. */
  levels: z.int().min(1).max(6).default(2),
  /** Share of the last feature maps that the discriminator does without at each step. */
  dropout: z.number().min(0).lt(1).default(0.5),
  /** Weights of the class in the discriminator's and in the generator's loss: far above 1, classes collapse. */
  discriminatorClassWeight: z.number().min(0).default(1),
  generatorClassWeight: z.number().min(0).default(1),
  normDecay: z.number().min(0).lt(1).default(AVERAGE),
  /** Real pictures count as real with probability 1 - labelSmoothing. */
  labelSmoothing: z.number().min(0).max(0.5).default(0),
  instanceNoise: instanceNoiseSettings,
  /** Updates of each network in a training step. */
  discriminatorSteps: z.int().positive().default(1),
  generatorSteps: z.int().positive().default(1),
});

export type AcGanConfiguration = z.infer<typeof configuration>;

const presets = {
  /** What ships: a bundle of at most 4 MB in float16 on MNIST. */
  small: { generatorWidth: 32, hidden: 256 },
  wide: { generatorWidth: 64, discriminatorWidth: 32 },
};

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
    const shape = { width: settings.generatorWidth, levels: settings.levels, hidden: settings.hidden, size: 5 };
    const drawn = { ...radfordWeights, normDecay: settings.normDecay };
    const pictures = convolutionalGenerator(generatorScope, { ...shape, ...drawn }, image, latent + classes);
    const G = (code: Tensor, label: Tensor, mode: NormMode) => {
      const condition = tf.oneHot(label, classes, 1, 0, 'float32');
      return tanhPixels(pictures(tf.concat([code, condition], 1), mode));
    };

    // D(x): the logit of P(S = real | x), and the logits of P(C | x).
    const body = alternatingConvolutions(discriminatorScope, settings, image);
    const source = dense(discriminatorScope.child('source'), {
      inputs: body.units,
      outputs: 1,
      kernel: radfordWeights.filter,
    });
    const verdict = dense(discriminatorScope.child('class'), { inputs: body.units, outputs: classes });
    const D = (x: Tensor, mask?: Tensor) => {
      const features = body.features(toSymmetric(x), mask);
      return { source: tf.squeeze(source(features), [1]), class: verdict(features) };
    };

    const noise = latentNoise(latent);
    const classNoise: NoiseSpec = { name: 'class', distribution: 'uniform', shape: [] };
    const classOf = (uniform: Tensor) => tf.cast(tf.floor(tf.mul(uniform, classes)), 'int32');
    const mask = (name: string): NoiseSpec => ({ name, distribution: 'uniform', shape: [1, 1, body.maps] });
    const blur = instanceNoise(settings.instanceNoise, [image.height, image.width, image.channels]);

    const served = imageGanOperations({
      ...{ image, latent, conditional: true },
      generate: (code, label) => G(code, label!, 'serve'), // conditional: every call has a label
      criticise: x => D(x).source,
    });
    return {
      stages: game(
        {
          // Maximises L_S + L_C, eq. 2 and 3: the class of real and of generated pictures.
          name: 'discriminator',
          parameters: discriminatorScope.trainable(),
          noises: [noise, classNoise, mask('real_dropout'), mask('fake_dropout'), ...blur.noises('real', 'fake')],
          coefficients: blur.coefficients,
          usesLabel: true,
          repeats: settings.discriminatorSteps,
          loss(inputs) {
            const label = classOf(inputs.noise.class!);
            const generated = G(inputs.noise.z!, label, 'batch');
            const real = D(blur.apply(inputs.data, 'real', inputs), inputs.noise.real_dropout!);
            const fake = D(blur.apply(generated, 'fake', inputs), inputs.noise.fake_dropout!);
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
          noises: [noise, classNoise, mask('fake_dropout'), ...blur.noises('fake')],
          coefficients: blur.coefficients,
          repeats: settings.generatorSteps,
          loss(inputs) {
            const label = classOf(inputs.noise.class!);
            const generated = blur.apply(G(inputs.noise.z!, label, 'train'), 'fake', inputs);
            const fake = D(generated, inputs.noise.fake_dropout!);
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
            class_accuracy: isCorrect(D(data).class, label!),
            generated_class_accuracy: isCorrect(D(G(noise.z!, told, 'serve')).class, told),
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
          run: inputs => ({ logits: D(inputs.x!).class }),
        },
      ],
      conditions: [{ kind: 'label', size: classes, names: image.labels, frequencies: [] }],
    };
  },
};

/**
 * Appendix A: 3x3 convolutions of stride 2 and 1 in turn, each with twice the feature maps of the one before, leaky ReLU.
 * Without the paper's batch normalisation: both heads are served, and judge each picture by itself. [batch, height, width,
 * channels] -> [batch, units]; the mask, uniform [batch, 1, 1, maps], drops whole maps of the last layer, where the paper
 * drops single elements of each: a twentieth of the random numbers.
 */
function alternatingConvolutions(scope: Scope, settings: AcGanConfiguration, image: ImageDomain) {
  let { height, width, channels: inputs } = image;
  const layers = Array.from({ length: 2 * settings.levels }, (_, index) => {
    const outputs = settings.discriminatorWidth * 2 ** index;
    const stride = index % 2 === 0 ? 2 : 1;
    const convolve = convolution(scope.child(`convolution${index + 1}`), { inputs, outputs, stride });
    [height, width, inputs] = [Math.ceil(height / stride), Math.ceil(width / stride), outputs];
    return (x: Tensor) => leakyRelu(convolve(x));
  });
  const units = height * width * inputs;
  return {
    maps: inputs,
    units,
    features: (x: Tensor, mask?: Tensor) =>
      inModule(scope, () => {
        const last = layers.reduce((value, layer) => layer(value), x);
        return tf.reshape(mask ? dropout(last, mask, settings.dropout) : last, [-1, units]);
      }),
  };
}
