// The variational auto-encoder of Kingma & Welling 2013: Gaussian prior and posterior, pixels independent given the code.
import type { Domain } from '@genserve/runtime';
import type { Tensor } from '@tensorflow/tfjs';
import { z } from 'zod';
import { reparameterise } from '../distributions/gaussian.js';
import { likelihoodNames, pixelLikelihood } from '../distributions/pixels.js';
import type { Family, Model, NoiseSpec, PortSpec } from '../family.js';
import { imageDecoder, imageEncoder, imageNetworkShape } from '../nn/image-networks.js';
import type { Scope } from '../nn/variable.js';
import { tf } from '../trace/tensorflow.js';
import { backgroundSetting, withBackground } from './background.js';
import { binaryDomain } from './binary-domain.js';
import { imageOf } from './image-data.js';
import { elboStep, gaussianPosterior, type LatentVariableModel, logWeight, perRow } from './latent-variable.js';

const configuration = z.strictObject({
  /** Size of the code z. */
  latent: z.int().positive().default(64),
  likelihood: z.enum(likelihoodNames).default('bernoulli'),
  ...imageNetworkShape,
  /** Steps over which the weight of the KL term rises from 0 to 1 (Sønderby et al. 2016); 0 for none. */
  warmUpSteps: z.int().min(0).default(500),
  ...backgroundSetting,
});

export type VaeConfiguration = z.infer<typeof configuration>;

const plain = (channels: number) => ({ channels });
const strided = (channels: number) => ({ channels, stride: 2 });

const presets = {
  /** Gulrajani et al. 2017 (PixelVAE), appendix A, without the autoregressive layers: 613,665 parameters on MNIST. */
  thesis: {
    latent: 64,
    encoder: [plain(32), strided(32), plain(32), strided(64), plain(64), strided(64), plain(64), plain(64), plain(64)],
    decoder: [plain(64), plain(64), strided(64), plain(64), strided(32), plain(32), strided(32), plain(32)],
  },
  /** Dense layers alone, as in the paper: twenty times the images a second, and the better figure for it in an hour. */
  small: { latent: 50, hidden: [500, 500], activation: 'elu' },
};

export const vae: Family<VaeConfiguration> = {
  name: 'vae',
  paper: 'Kingma & Welling 2013, Auto-Encoding Variational Bayes',
  url: 'https://arxiv.org/abs/1312.6114',
  configuration,
  presets,
  defaultPreset: 'small',
  training: {
    batch: 128,
    optimiser: { name: 'adam', learningRate: 3e-3 },
    parameterAverage: 0.999,
  },
  presetTraining: { thesis: { batch: 64, optimiser: { name: 'adam', learningRate: 1e-3 } } },

  /** Bernoulli pixels are drawn from grey values anew at every step: dynamic binarisation. */
  domain(settings, domain) {
    return settings.likelihood === 'bernoulli' ? binaryDomain(domain) : domain;
  },

  build(settings, domain, scope) {
    const image = imageOf('vae', domain);
    return withBackground(settings.background, image, scope, own => build(settings, domain, own));
  },
};

function build(settings: VaeConfiguration, domain: Domain, scope: Scope): Model {
  const image = imageOf('vae', domain);
  const pixels = pixelLikelihood(settings.likelihood, image);
  const encoder = imageEncoder(scope.child('encoder'), settings, image, 2 * settings.latent);
  const outputs = image.channels * pixels.parametersPerChannel;
  const decoder = imageDecoder(scope.child('decoder'), settings, image, settings.latent, outputs);

  // q(z | x) = N(mean, diag(deviation^2)), eq. 9.
  const posterior = gaussianPosterior(encoder);
  // log p(x | z), nats, for each element of x.
  const logLikelihoodMap = (x: Tensor, code: Tensor): Tensor => pixels.logProbMap(decoder(code), x);
  const model: LatentVariableModel = { posterior, logLikelihoodMap };

  const shape = [image.height, image.width, image.channels];
  const codeNoise: NoiseSpec = { name: 'z', distribution: 'normal', shape: [settings.latent] };
  const epsilonNoise: NoiseSpec = { ...codeNoise, name: 'epsilon' };
  const x: PortSpec = { name: 'x', role: 'data', shape };
  const code: PortSpec = { name: 'z', role: 'latent', shape: [settings.latent], level: 1 };
  const epsilon: PortSpec = { ...code, name: 'epsilon', role: 'noise' };
  const temperature: PortSpec = { name: 'temperature', role: 'temperature', default: 1 };

  return {
    stages: [
      {
        name: 'joint',
        steps: [
          elboStep(model, { parameters: scope.trainable(), epsilon: epsilonNoise, warmUpSteps: settings.warmUpSteps }),
        ],
      },
    ],
    operations: [
      {
        name: 'sample',
        inputs: [{ ...code, role: 'noise' }, temperature],
        outputs: [x],
        run: inputs => ({ x: pixels.mean(decoder(perRow(inputs.z!, inputs.temperature!))) }),
      },
      { name: 'decode', inputs: [code], outputs: [x], run: inputs => ({ x: pixels.mean(decoder(inputs.z!)) }) },
      { name: 'encode', inputs: [x], outputs: [code], run: inputs => ({ z: posterior(inputs.x!).mean }) },
      {
        name: 'reconstruct',
        inputs: [x, epsilon, temperature],
        outputs: [{ ...x, name: 'y' }],
        run(inputs) {
          const drawn = reparameterise(posterior(inputs.x!), perRow(inputs.epsilon!, inputs.temperature!));
          return { y: pixels.mean(decoder(drawn)) };
        },
      },
      {
        name: 'log_prob',
        inputs: [x, epsilon],
        outputs: [{ name: 'log_prob', role: 'log_prob' }],
        run: inputs => ({ log_prob: logWeight(model, inputs.x!, inputs.epsilon!) }),
      },
      {
        name: 'log_prob_map',
        inputs: [x, epsilon],
        outputs: [{ name: 'map', role: 'map', shape: [image.height, image.width] }],
        run(inputs) {
          const drawn = reparameterise(posterior(inputs.x!), inputs.epsilon!);
          return { map: tf.sum(logLikelihoodMap(inputs.x!, drawn), 3) };
        },
      },
    ],
    noises: [codeNoise, epsilonNoise],
    likelihood: {
      kind: 'bound',
      dimensions: image.height * image.width * image.channels,
      measure: pixels.measure,
    },
    conditions: [],
  };
}
