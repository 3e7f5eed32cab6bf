// PixelVAE (Gulrajani et al. 2017): a variational auto-encoder whose decoder is a PixelCNN given the code. The code is left
// what the few autoregressive layers cannot see: the global structure.
import { GenserveError } from '@genserve/runtime';
import type { Tensor } from '@tensorflow/tfjs';
import { z } from 'zod';
import { bernoulliLogProbMap } from '../distributions/bernoulli.js';
import {
  type DiagonalGaussian,
  gaussianLogProb,
  reparameterise,
  standardNormalLogProb,
} from '../distributions/gaussian.js';
import type { Family, NoiseSpec, PortSpec } from '../family.js';
import { softplus } from '../nn/activations.js';
import { imageDecoder, imageEncoder, imageNetworkShape } from '../nn/image-networks.js';
import { independentPixels } from '../nn/independent-pixels.js';
import { oddSize } from '../nn/masked-convolution.js';
import { gatedStack } from '../nn/masked-gated-stack.js';
import { residualStack } from '../nn/masked-residual-stack.js';
import type { Condition, MaskedStack } from '../nn/masked-stack.js';
import type { Scope } from '../nn/variable.js';
import { tf } from '../trace/tensorflow.js';
import { binaryImageOf } from './binary-autoregressive.js';
import { binaryDomain } from './binary-domain.js';
import { binaryDrawing, noisePort } from './binary-drawing.js';
import { elboStep, gaussianPosterior, type LatentVariableModel, logWeight, perRow } from './latent-variable.js';
import { repeatRows } from './particles.js';
import { rasterSampler } from './raster-sampler.js';

const configuration = z.strictObject({
  /** Size of the code z. */
  latent: z.int().positive().default(32),
  ...imageNetworkShape,
  /** `map`: z is brought to the size of the image and joins it in the first layer; `bias`: it is a bias of every layer. */
  conditioning: z.enum(['map', 'bias']).default('map'),
  /** Autoregressive layers, the first included; with 0 the pixels are independent given z. */
  layers: z.int().min(0).default(5),
  /** Whether they are those of gated-pixelcnn or of pixelcnn. */
  gated: z.boolean().default(true),
  /** Feature maps of the autoregressive layers, and of the map. */
  channels: z.int().positive().default(16),
  /** Height and width of the kernels that the masks are laid over. */
  size: oddSize.default(5),
  /** The same for the first layer. */
  firstSize: oddSize.default(7),
  /** Feature maps of the two 1x1 layers before the logit. */
  head: z.int().positive().default(32),
  /** Steps over which the weight of the KL term rises from 0 to 1; without, the decoder learns to ignore z. */
  warmUpSteps: z.int().min(0).default(10_000),
  /** Completions drawn side by side for one answer; more are truer. */
  particles: z.int().positive().default(16),
});

export type PixelVaeConfiguration = z.infer<typeof configuration>;

const plain = (channels: number) => ({ channels });
const strided = (channels: number) => ({ channels, stride: 2 });

/** Appendix A.0.5: 28 -> 14 -> 7, padded to 8 -> 4, and back. */
const appendixEncoder = [
  plain(32),
  strided(32),
  plain(32),
  strided(64),
  plain(64),
  strided(64),
  plain(64),
  plain(64),
  plain(64),
];
const appendixDecoder = [plain(64), plain(64), strided(64), plain(64), strided(32), plain(32), strided(32), plain(32)];

const presets = {
  /** What ships: small networks on either side of the code, and few layers; what is saved goes into more steps. */
  small: {
    latent: 32,
    encoder: [strided(16), strided(32)],
    hidden: [256],
    decoder: [strided(32), strided(16)],
    activation: 'elu',
    layers: 5,
  },
  /** Table 2.1, "PixelVAE", with the layers of appendix A.0.5. */
  upsampling: { encoder: appendixEncoder, decoder: appendixDecoder, gated: false, channels: 32, layers: 12 },
  /** Table 2.1, "Gated PixelVAE". */
  gated: { encoder: appendixEncoder, decoder: appendixDecoder, channels: 32, layers: 12 },
  /** Table 2.1, "Gated PixelVAE without upsampling": the best of them. */
  'gated-without-upsampling': { encoder: appendixEncoder, conditioning: 'bias', channels: 32, layers: 12 },
};

export const pixelVae: Family<PixelVaeConfiguration> = {
  name: 'pixelvae',
  paper: 'Gulrajani et al. 2017, PixelVAE: A Latent Variable Model for Natural Images',
  url: 'https://arxiv.org/abs/1611.05013',
  configuration,
  presets,
  defaultPreset: 'small',
  training: {
    // As for gated-pixelcnn: small batches keep the feature maps in the cache.
    batch: 16,
    optimiser: { name: 'adam', learningRate: 2e-3 },
    parameterAverage: 0.999,
  },

  domain: (_, domain) => binaryDomain(domain),

  build(settings, domain, scope) {
    const image = binaryImageOf('pixelvae', domain);
    const encoder = imageEncoder(scope.child('encoder'), settings, image, 2 * settings.latent);
    const { stack, conditionOf } = decoderNetworks(scope.child('decoder'), settings, image);

    // q(z | x) = N(mean, diag(deviation^2)).
    const posterior = gaussianPosterior(encoder);
    // log p(x | z) = sum_i log p(x_i | x_1, ..., x_(i-1), z), nats, for each pixel.
    const logLikelihoodMap = (x: Tensor, code: Tensor) => bernoulliLogProbMap(stack.map(x, conditionOf(code)), x);
    const model: LatentVariableModel = { posterior, logLikelihoodMap };

    const { particles } = settings;
    const sampler = rasterSampler(image, code => {
      const network = stack.raster(code && conditionOf(code));
      return { ...network, given: { ...network.given, ...(code && { [CODE]: tf.expandDims(code, 1) }) } };
    });
    const { draw, complete } = binaryDrawing(sampler, image, particles);

    const codeNoise: NoiseSpec = { name: 'z', distribution: 'normal', shape: [settings.latent] };
    const epsilonNoise: NoiseSpec = { ...codeNoise, name: 'epsilon' };
    const particleCodes: NoiseSpec = { ...codeNoise, name: 'particle_codes', shape: [particles, settings.latent] };
    const x: PortSpec = { name: 'x', role: 'data', shape: [image.height, image.width, 1] };
    const mask: PortSpec = { ...x, name: 'mask', role: 'mask' };
    const code: PortSpec = { name: 'z', role: 'latent', shape: [settings.latent], level: 1 };
    const noiseAtLevel = (noise: NoiseSpec): PortSpec => ({ ...noisePort(noise), level: 1 });
    const codeState: PortSpec = { name: 'code', role: 'state', shape: particleCodes.shape, default: 0 };

    return {
      stages: [
        {
          name: 'joint',
          steps: [
            elboStep(model, {
              parameters: scope.variables(),
              epsilon: epsilonNoise,
              warmUpSteps: settings.warmUpSteps,
            }),
          ],
        },
      ],
      operations: [
        {
          name: 'sample',
          inputs: [noiseAtLevel(codeNoise), ...draw.inputs],
          outputs: [x, ...draw.outputs],
          run(inputs) {
            const { image, next } = draw.run(inputs, { condition: perRow(inputs.z!, inputs.temperature!) });
            return { x: image, ...next };
          },
        },
        {
          name: 'decode',
          inputs: [code, ...draw.inputs],
          outputs: [x, ...draw.outputs],
          run(inputs) {
            const { image, next } = draw.run(inputs, { condition: inputs.z });
            return { x: image, ...next };
          },
        },
        { name: 'encode', inputs: [x], outputs: [code], run: inputs => ({ z: posterior(inputs.x!).mean }) },
        {
          name: 'reconstruct',
          inputs: [x, noiseAtLevel(epsilonNoise), ...draw.inputs],
          outputs: [{ ...x, name: 'y' }, ...draw.outputs],
          run(inputs) {
            const condition = reparameterise(posterior(inputs.x!), perRow(inputs.epsilon!, inputs.temperature!));
            const { image, next } = draw.run(inputs, { condition });
            return { y: image, ...next };
          },
        },
        {
          // Each particle has its code, drawn half from the prior and half from q of what is known; weights make up for it.
          name: 'complete',
          inputs: [x, mask, noiseAtLevel(particleCodes), ...complete.inputs, codeState],
          outputs: [{ ...x, name: 'y' }, ...complete.outputs, { ...codeState, name: 'next_code' }],
          run(inputs) {
            const known = tf.where(tf.greater(inputs.mask!, 0.5), inputs.x!, tf.zerosLike(inputs.x!));
            const epsilon = tf.reshape(inputs.particle_codes!, [-1, settings.latent]);
            const proposed = proposeCodes(posterior(known), epsilon, particles);
            // Later runs go on with the codes of those that have survived.
            const isFirst = tf.equal(inputs.first_row!, tf.scalar(0, 'int32'));
            const condition = tf.where(isFirst, proposed.codes, tf.reshape(inputs.code!, [-1, settings.latent]));
            const { image, next, given } = complete.run(inputs, { condition, logWeights: proposed.logWeights });
            return { y: image, ...next, next_code: tf.reshape(given[CODE]!, [-1, particles, settings.latent]) };
          },
        },
        {
          name: 'log_prob',
          inputs: [x, noiseAtLevel(epsilonNoise)],
          outputs: [{ name: 'log_prob', role: 'log_prob' }],
          run: inputs => ({ log_prob: logWeight(model, inputs.x!, inputs.epsilon!) }),
        },
        {
          name: 'log_prob_map',
          inputs: [x, noiseAtLevel(epsilonNoise)],
          outputs: [{ name: 'map', role: 'map', shape: [image.height, image.width] }],
          run(inputs) {
            const drawn = reparameterise(posterior(inputs.x!), inputs.epsilon!);
            return { map: tf.squeeze(logLikelihoodMap(inputs.x!, drawn), [3]) };
          },
        },
      ],
      noises: [codeNoise, epsilonNoise, particleCodes, ...draw.noises, ...complete.noises],
      likelihood: {
        kind: 'bound',
        dimensions: image.height * image.width,
        measure: `counting measure on {0,1}^${image.height * image.width}`,
      },
      conditions: [],
    };
  },
};

/** Name under which a raster network is given the code, so that particles keep theirs. */
const CODE = 'code';

/** From the code to what the autoregressive layers are conditioned on, and those layers. */
function decoderNetworks(
  scope: Scope,
  settings: PixelVaeConfiguration,
  image: { readonly height: number; readonly width: number; readonly channels: number },
): { readonly stack: MaskedStack; conditionOf(code: Tensor): Condition } {
  const { layers, channels, gated } = settings;
  const byMap = settings.conditioning === 'map';
  const refuse = (message: string) => {
    throw new GenserveError('CONFIGURATION_INVALID', `configuration.conditioning: ${message}`, {
      field: 'configuration.conditioning',
    });
  };
  if (!byMap && settings.decoder.length > 0) refuse('bias needs no decoder; leave it empty');
  if (!byMap && layers === 0) refuse('bias needs autoregressive layers; without, take map');
  if (!byMap && !gated) refuse('bias needs gated layers; layers that are not take map');
  const stackScope = scope.child('pixelcnn');
  const sizes = { ...settings, width: image.width, inputs: 1, outputs: 1 };
  if (!byMap) {
    const stack = gatedStack(stackScope, { ...sizes, layers: layers - 1, vector: settings.latent });
    return { stack, conditionOf: vector => ({ vector }) };
  }
  const upsample = imageDecoder(scope, settings, image, settings.latent, layers === 0 ? 1 : channels);
  const conditionOf = (code: Tensor) => ({ map: upsample(code) });
  if (layers === 0) return { stack: independentPixels(), conditionOf };
  const stack = gated
    ? gatedStack(stackScope, { ...sizes, layers: layers - 1, map: channels })
    : residualStack(stackScope, { ...sizes, blocks: layers - 1, map: channels });
  return { stack, conditionOf };
}

/**
 * Codes of particles: every other one from q, the rest from the prior p, and log-weights p / ((q + p) / 2), at most log 2
 * (a defensive mixture: Hesterberg 1995). `epsilon` [batch * particles, latent].
 */
function proposeCodes(q: DiagonalGaussian, epsilon: Tensor, particles: number) {
  const proposal = { mean: repeatRows(q.mean, particles), logDeviation: repeatRows(q.logDeviation, particles) };
  const perParticle = tf.reshape(epsilon, [-1, particles, epsilon.shape[1]!]);
  const odd = tf.tensor3d(
    Array.from({ length: particles }, (_, particle) => particle % 2),
    [1, particles, 1],
  );
  const fromPosterior = tf.reshape(tf.add(tf.zerosLike(perParticle), odd), epsilon.shape);
  const codes = tf.where(tf.greater(fromPosterior, 0.5), reparameterise(proposal, epsilon), epsilon);
  const logRatio = tf.sub(gaussianLogProb(proposal, codes), standardNormalLogProb(codes));
  return { codes, logWeights: tf.sub(Math.LN2, softplus(logRatio)) };
}
