// WGAN-GP (Gulrajani et al. 2017): a critic that estimates a Wasserstein distance, kept 1-Lipschitz by a penalty on the norm of
// its gradients, and a generator that makes the distance small. Pictures; generators of the paper's robustness table too.
import type { Tensor } from '@tensorflow/tfjs';
import { z } from 'zod';
import {
  type ConvolutionalSettings,
  convolutionalDiscriminator,
  convolutionalGenerator,
  type ImageSize,
  type Network,
} from '../adversarial/convolutional.js';
import { gradientPenalty, INTERPOLATION } from '../adversarial/gradient-penalty.js';
import { AVERAGE, game, imageGanOperations, latentNoise } from '../adversarial/image-gan.js';
import { wassersteinLoss } from '../adversarial/losses.js';
import type { Family } from '../family.js';
import { sigmoid } from '../nn/activations.js';
import { dense } from '../nn/dense.js';
import type { Scope } from '../nn/variable.js';
import { tf } from '../trace/tensorflow.js';
import { imageOf } from './image-data.js';

const configuration = z.strictObject({
  /** Size of the noise z. */
  latent: z.int().positive().default(128),
  /** 'no-batch-norm': without it, and with one width for all layers; 'mlp': four dense layers of 512 units (fig. 2). */
  generator: z.enum(['convolutional', 'no-batch-norm', 'mlp']).default('convolutional'),
  /** Feature maps next to the picture, of either network; each level further has twice as many. */
  generatorWidth: z.int().positive().default(64),
  criticWidth: z.int().positive().default(64),
  /** Times that the picture is halved: 28 -> 14 -> 7 -> 4. */
  levels: z.int().min(1).max(6).default(3),
  /** Height and width of the filters. */
  size: z.int().min(2).default(5),
  /** n_critic: updates of the critic for one of the generator. */
  criticSteps: z.int().positive().default(5),
  generatorSteps: z.int().positive().default(1),
  /** lambda of eq. 3. */
  penaltyWeight: z.number().positive().default(10),
  /** Whether gradients below norm 1 are penalised as well. */
  penaltySides: z.enum(['one', 'two']).default('two'),
  /** Decay of the running statistics of the generator's batch normalisation. */
  normDecay: z.number().min(0).lt(1).default(AVERAGE),
});

export type WganGpConfiguration = z.infer<typeof configuration>;

const small = { generatorWidth: 32, criticWidth: 24 };

const presets = {
  /** What ships: the critic, which does most of the work, is a seventh of the paper's. */
  small,
  'no-batch-norm': { ...small, generator: 'no-batch-norm' },
  mlp: { ...small, generator: 'mlp' },
  /** The size of the authors' code for MNIST. */
  paper: { generatorWidth: 64, criticWidth: 64 },
};

export const wganGp: Family<WganGpConfiguration> = {
  name: 'wgan-gp',
  paper: 'Gulrajani et al. 2017, Improved Training of Wasserstein GANs',
  url: 'https://arxiv.org/abs/1704.00028',
  configuration,
  presets,
  defaultPreset: 'small',
  training: {
    batch: 50,
    optimiser: { name: 'adam', learningRate: 4e-4, beta1: 0.5, beta2: 0.9 },
    parameterAverage: AVERAGE,
    // Appendix F; the paper's rate of 1e-4 (2e-4 here and there) is for ten times the steps.
    schedule: { name: 'linear', warmUpSteps: 0, decayFrom: 0.5 },
  },

  build(settings, domain, scope) {
    const image = imageOf('wgan-gp', domain);
    const noise = latentNoise(settings.latent);
    const [generatorScope, criticScope] = [scope.child('generator'), scope.child('critic')];
    const pictures = generatorOf(generatorScope, settings, image);
    const G: Network = (code, mode) => sigmoid(pictures(code, mode));

    // No batch normalisation in the critic: the penalty is on its gradient for each input apart (sec. 4).
    const { criticWidth: width, levels, size } = settings;
    const body = convolutionalDiscriminator(criticScope, { width, levels, size, hidden: 0 }, image);
    const output = dense(criticScope.child('output'), { inputs: body.units, outputs: 1 });
    const D = (x: Tensor) => tf.squeeze(output(body.features(x, 'serve')), [1]);

    return {
      stages: game(
        {
          // Algorithm 1, lines 2 to 9.
          name: 'critic',
          parameters: criticScope.trainable(),
          noises: [noise, INTERPOLATION],
          repeats: settings.criticSteps,
          loss({ data: real, noise }) {
            const fake = G(noise.z!, 'batch');
            const difference = wassersteinLoss(D(real), D(fake));
            const { penalty, gradientNorm } = gradientPenalty({
              ...{ critic: D, real, fake },
              interpolation: noise.interpolation!,
              sides: settings.penaltySides,
            });
            return {
              loss: tf.add(difference, tf.mul(settings.penaltyWeight, penalty)),
              metrics: { critic_loss: difference, critic_gradient_norm: gradientNorm },
            };
          },
        },
        {
          // Lines 11 and 12.
          name: 'generator',
          parameters: generatorScope.trainable(),
          noises: [noise],
          repeats: settings.generatorSteps,
          loss: ({ noise }) => ({ loss: tf.neg(tf.mean(D(G(noise.z!, 'train')))) }),
        },
      ),
      // The critic's loss without the penalty on pictures that it has not seen: where it parts from that of training, the
      // critic overfits (sec. 5.3 and fig. 5b).
      validation: {
        noises: [noise],
        run: ({ data, noise }) => ({ critic_loss: tf.sub(D(G(noise.z!, 'serve')), D(data)) }),
      },
      ...imageGanOperations({
        image,
        latent: settings.latent,
        generate: code => G(code, 'serve'),
        criticise: D,
      }),
      conditions: [],
    };
  },
};

/** [batch, latent] -> pictures before the sigmoid. */
function generatorOf(scope: Scope, settings: WganGpConfiguration, image: ImageSize): Network {
  const { generator, generatorWidth: width, levels, size, normDecay, latent } = settings;
  if (generator === 'mlp') return perceptron(scope, image, latent);
  const shape: ConvolutionalSettings = { width, levels, size, hidden: 0 };
  const kind = generator === 'no-batch-norm' ? { constantWidth: true } : { normDecay };
  return convolutionalGenerator(scope, { ...shape, ...kind }, image, latent);
}

const PERCEPTRON = [512, 512, 512, 512] as const;

function perceptron(scope: Scope, { height, width, channels }: ImageSize, latent: number): Network {
  const hidden = PERCEPTRON.map((outputs, index) => {
    const inputs = index === 0 ? latent : PERCEPTRON[index - 1]!;
    return dense(scope.child(`dense${index + 1}`), { inputs, outputs });
  });
  const last = dense(scope.child('output'), { inputs: PERCEPTRON.at(-1)!, outputs: height * width * channels });
  return code => {
    const features = hidden.reduce<Tensor>((x, connect) => tf.relu(connect(x)), code);
    return tf.reshape(last(features), [-1, height, width, channels]);
  };
}
