// Gated PixelCNN (van den Oord et al. 2016): p(x) as a product over pixels in raster order, each a Bernoulli variable
// whose logit a gated convolutional network computes from the pixels before it; optionally conditional on a label or on a vector.
import { type Domain, GenserveError, type ImageDomain, type Manifest } from '@genserve/runtime';
import { z } from 'zod';
import type { Family, Model } from '../family.js';
import { oddSize } from '../nn/masked-convolution.js';
import { gatedStack } from '../nn/masked-gated-stack.js';
import type { Scope } from '../nn/variable.js';
import { tf } from '../trace/tensorflow.js';
import { backgroundSetting, withBackground } from './background.js';
import {
  type BinaryAutoregressiveModel,
  binaryImageOf,
  binaryLogProb,
  binaryOperations,
  type ConditionInput,
} from './binary-autoregressive.js';
import { binaryDomain } from './binary-domain.js';
import { hideSome, labelDropout } from './condition-dropout.js';
import { classCount } from './image-data.js';
import { rasterSampler } from './raster-sampler.js';

const configuration = z.strictObject({
  /** Feature maps p of both stacks; each convolution has 2p, for tanh and gate. Multiples of 16 run fastest. */
  channels: z.int().positive().default(16),
  /** Gated layers after the first. */
  layers: z.int().min(0).default(5),
  /** Height and width of the kernels that the masks are laid over. */
  size: oddSize.default(5),
  /** The same for the first layer. */
  firstSize: oddSize.default(7),
  /** Feature maps of the two gated 1x1 layers before the logit. */
  head: z.int().positive().default(32),
  /** What every layer is conditioned on. */
  condition: z.enum(['none', 'label', 'vector']).default('none'),
  /** Length of the vector, where it is one: each image of the data comes with its own. */
  vectorSize: z.int().min(0).default(0),
  /** Share of labels or vectors that training hides, so that a datum without one has a likelihood too. */
  labelDropout: z.number().min(0).max(1).default(0.1),
  /** Completions drawn side by side for one answer; more are truer where known pixels come after unknown ones. */
  particles: z.int().positive().default(16),
  ...backgroundSetting,
});

export type GatedPixelCnnConfiguration = z.infer<typeof configuration>;

const presets = {
  /** What ships, and the model of the benchmarks: 58,145 parameters, which see 14 rows up and 13 columns to each side. */
  small: { channels: 16, layers: 5 },
  benchmark: { channels: 16, layers: 5 },
  /** The width of PixelVAE's decoder (Gulrajani et al. 2017, appendix A); three times the work. */
  wide: { channels: 32, layers: 5 },
};

export const gatedPixelCnn: Family<GatedPixelCnnConfiguration> = {
  name: 'gated-pixelcnn',
  paper: 'van den Oord et al. 2016, Conditional Image Generation with PixelCNN Decoders',
  url: 'https://arxiv.org/abs/1606.05328',
  configuration,
  presets,
  defaultPreset: 'small',
  training: {
    // Small batches keep the feature maps in the cache: 5.7 ms of processor time an image, 7.6 with 64.
    batch: 16,
    optimiser: { name: 'adam', learningRate: 2e-3 },
    parameterAverage: 0.999,
  },

  domain: (_, domain) => binaryDomain(domain),

  build(settings, domain, scope) {
    const image = binaryImageOf('gated-pixelcnn', domain);
    return withBackground(settings.background, image, scope, own => build(settings, domain, own));
  },
};

function build(settings: GatedPixelCnnConfiguration, domain: Domain, scope: Scope): Model {
  const image = binaryImageOf('gated-pixelcnn', domain);
  const condition = conditionOf(settings, image);
  const size = condition?.description.size ?? 0;
  const stack = gatedStack(scope, { ...settings, width: image.width, inputs: 1, outputs: 1, vector: size });
  const model: BinaryAutoregressiveModel = {
    logits: (x, vector) => stack.map(x, { vector }),
    sampler: rasterSampler(image, vector => stack.raster({ vector })),
  };

  return {
    stages: [
      {
        name: 'joint',
        steps: [
          {
            name: 'likelihood',
            parameters: scope.variables(),
            noises: condition ? [labelDropout] : [],
            rowsApart: true,
            usesLabel: settings.condition === 'label',
            vectorSize: settings.condition === 'vector' ? settings.vectorSize : 0,
            loss({ data, label, vector, noise }) {
              const given = label ?? vector;
              const h = given && condition?.encode(given);
              const shown = h && hideSome(h, noise.label_dropout!, settings.labelDropout);
              return { loss: tf.neg(tf.mean(binaryLogProb(model, data, shown))) };
            },
          },
        ],
      },
    ],
    ...binaryOperations(model, image, { condition, particles: settings.particles }),
    conditions: condition ? [condition.description] : [],
  };
}

/** h of eq. 4, [batch, size], zero where nothing is given: the label as one of K, or the vector as it is. */
function conditionOf(
  { condition, vectorSize }: GatedPixelCnnConfiguration,
  image: ImageDomain,
): (ConditionInput & { readonly description: Manifest['conditions'][number] }) | undefined {
  if (condition === 'none') return undefined;
  if (condition === 'label') {
    const classes = classCount(image, 'gated-pixelcnn', 'configuration.condition');
    return {
      port: { name: 'label', role: 'label', dtype: 'int32', default: -1 },
      encode: label => tf.oneHot(label, classes, 1, 0, 'float32'),
      description: { kind: 'label', size: classes, names: image.labels, frequencies: [] },
    };
  }
  if (vectorSize < 1)
    throw new GenserveError('CONFIGURATION_INVALID', 'vectorSize: must be the length of the vectors in the data', {
      field: 'configuration.vectorSize',
    });
  return {
    port: { name: 'vector', role: 'vector', shape: [vectorSize], default: 0 },
    encode: vector => vector,
    description: { kind: 'vector', size: vectorSize, names: [], frequencies: [] },
  };
}
