// Gated PixelCNN (van den Oord et al. 2016): p(x) as a product over pixels in raster order, each a Bernoulli variable
// whose logit a gated convolutional network computes from the pixels before it; optionally conditional on a label.
import type { Domain } from '@genserve/runtime';
import { z } from 'zod';
import type { Family, Model, NoiseSpec } from '../family.js';
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
import { classCount } from './image-data.js';
import { rasterSampler } from './raster-sampler.js';

const oddSize = z
  .int()
  .min(3)
  .refine(size => size % 2 === 1, 'must be odd');

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
  condition: z.enum(['none', 'label']).default('none'),
  /** Share of labels that training hides, so that a datum without a label has a likelihood too. */
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
    const model = build(settings, domain, scope);
    if (settings.background === 0) return model;
    const background = build(settings, domain, scope.child('background'));
    return withBackground(model, background, settings.background, binaryImageOf('gated-pixelcnn', domain));
  },
};

function build(settings: GatedPixelCnnConfiguration, domain: Domain, scope: Scope): Model {
  const image = binaryImageOf('gated-pixelcnn', domain);
  const classes = settings.condition === 'label' ? classCount(image, 'gated-pixelcnn', 'configuration.condition') : 0;
  const stack = gatedStack(scope, { ...settings, width: image.width, inputs: 1, outputs: 1, vector: classes });
  // h of eq. 4: the label as one of K, or zero where there is none.
  const condition: ConditionInput | undefined =
    classes > 0
      ? {
          port: { name: 'label', role: 'label', dtype: 'int32', default: -1 },
          encode: label => tf.oneHot(label, classes, 1, 0, 'float32'),
        }
      : undefined;
  const model: BinaryAutoregressiveModel = {
    logits: (x, vector) => stack.map(x, { vector }),
    sampler: rasterSampler(image, vector => stack.raster({ vector })),
  };
  const dropout: NoiseSpec = { name: 'label_dropout', distribution: 'uniform', shape: [] };

  return {
    stages: [
      {
        name: 'joint',
        steps: [
          {
            name: 'likelihood',
            parameters: scope.variables(),
            noises: classes > 0 ? [dropout] : [],
            usesLabel: classes > 0,
            loss({ data, label, noise }) {
              const shown =
                label && tf.where(tf.less(noise.label_dropout!, settings.labelDropout), tf.scalar(-1, 'int32'), label);
              return { loss: tf.neg(tf.mean(binaryLogProb(model, data, shown && condition?.encode(shown)))) };
            },
          },
        ],
      },
    ],
    ...binaryOperations(model, image, { condition, particles: settings.particles }),
    conditions: classes > 0 ? [{ kind: 'label', size: classes, names: image.labels, frequencies: [] }] : [],
  };
}
