// PixelCNN (van den Oord et al. 2016): p(x) as a product over pixels in raster order, from one stack of masked
// convolutions. It has the paper's blind spot; gated-pixelcnn is the model without it.
import { z } from 'zod';
import type { Family } from '../family.js';
import { oddSize } from '../nn/masked-convolution.js';
import { residualStack } from '../nn/masked-residual-stack.js';
import { tf } from '../trace/tensorflow.js';
import {
  type BinaryAutoregressiveModel,
  binaryImageOf,
  binaryLogProb,
  binaryOperations,
} from './binary-autoregressive.js';
import { binaryDomain } from './binary-domain.js';
import { rasterSampler } from './raster-sampler.js';

const configuration = z.strictObject({
  /** h of the paper: feature maps inside a residual block; 2h between blocks. */
  channels: z.int().positive().default(16),
  /** Residual blocks. */
  blocks: z.int().min(0).default(15),
  /** Height and width of the kernels that the masks are laid over. */
  size: oddSize.default(3),
  /** The same for the first layer. */
  firstSize: oddSize.default(7),
  /** Feature maps of the two 1x1 layers before the logit. */
  head: z.int().positive().default(32),
  /** Completions drawn side by side for one answer; more are truer where known pixels come after unknown ones. */
  particles: z.int().positive().default(16),
});

export type PixelCnnConfiguration = z.infer<typeof configuration>;

const presets = {
  /** Section 5.3 and table 1 of the paper: 15 blocks of h = 16 for MNIST. */
  paper: { channels: 16, blocks: 15 },
  /** What ships: the same with fewer blocks. */
  small: { channels: 16, blocks: 8 },
};

export const pixelCnn: Family<PixelCnnConfiguration> = {
  name: 'pixelcnn',
  paper: 'van den Oord et al. 2016, Pixel Recurrent Neural Networks',
  url: 'https://arxiv.org/abs/1601.06759',
  configuration,
  presets,
  defaultPreset: 'paper',
  training: {
    batch: 16,
    optimiser: { name: 'adam', learningRate: 1e-3 },
    parameterAverage: 0.999,
  },

  domain: (_, domain) => binaryDomain(domain),

  build(settings, domain, scope) {
    const image = binaryImageOf('pixelcnn', domain);
    const stack = residualStack(scope, { ...settings, width: image.width, inputs: 1, outputs: 1 });
    const model: BinaryAutoregressiveModel = {
      logits: x => stack.map(x),
      sampler: rasterSampler(image, () => stack.raster()),
    };
    return {
      stages: [
        {
          name: 'joint',
          steps: [
            {
              name: 'likelihood',
              parameters: scope.variables(),
              noises: [],
              rowsApart: true,
              loss: ({ data }) => ({ loss: tf.neg(tf.mean(binaryLogProb(model, data))) }),
            },
          ],
        },
      ],
      ...binaryOperations(model, image, { particles: settings.particles }),
      conditions: [],
    };
  },
};
