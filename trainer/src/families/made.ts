// MADE (Germain et al. 2015), "Masked Autoencoder for Distribution Estimation": an auto-encoder of dense layers, masked so
// that output i sees inputs before i alone; one mask, one order.
import { type Domain, GenserveError } from '@genserve/runtime';
import type { Tensor } from '@tensorflow/tfjs';
import { z } from 'zod';
import { permutation } from '../data/order.js';
import type { Family, Model } from '../family.js';
import { maskedAutoencoder } from '../nn/masked-dense.js';
import type { Scope } from '../nn/variable.js';
import { tf } from '../trace/tensorflow.js';
import { backgroundSetting, withBackground } from './background.js';
import {
  type BinaryAutoregressiveModel,
  binaryImageOf,
  binaryLogProb,
  binaryOperations,
} from './binary-autoregressive.js';
import { binaryDomain } from './binary-domain.js';

const configuration = z.strictObject({
  /** Units of the hidden layers. */
  hidden: z.array(z.int().positive()).min(1).default([8000]),
  /** 'natural': rows from the top, pixels from the left. 'random': one order drawn by orderSeed. */
  order: z.enum(['natural', 'random']).default('natural'),
  orderSeed: z.int().min(0).default(0),
  /** Steps of the staircase that a mask is when units are sorted by degree; changes speed, not the model. */
  blocks: z.int().positive().default(16),
  /** Completions drawn side by side for one answer; more are truer where known pixels come after unknown ones. */
  particles: z.int().positive().default(16),
  ...backgroundSetting,
});

export type MadeConfiguration = z.infer<typeof configuration>;

const presets = {
  /** What ships: one hidden layer of 1,500 units. */
  small: { hidden: [1500] },
  /** Germain et al. 2015, table 4: one hidden layer of 8,000 units, one mask. */
  benchmark: { hidden: [8000] },
  /** The same with two hidden layers. */
  deep: { hidden: [8000, 8000] },
};

export const made: Family<MadeConfiguration> = {
  name: 'made',
  paper: 'Germain et al. 2015, MADE: Masked Autoencoder for Distribution Estimation',
  url: 'https://arxiv.org/abs/1502.03509',
  configuration,
  presets,
  defaultPreset: 'small',
  training: {
    batch: 64,
    optimiser: { name: 'adam', learningRate: 1e-3 },
    parameterAverage: 0.999,
  },

  domain: (_, domain) => binaryDomain(domain),

  build(settings, domain, scope) {
    const image = binaryImageOf('made', domain);
    return withBackground(settings.background, image, scope, own => build(settings, domain, own));
  },
};

function build(settings: MadeConfiguration, domain: Domain, scope: Scope): Model {
  const image = binaryImageOf('made', domain);
  const { height, width } = image;
  const dimensions = height * width;
  const narrow = settings.hidden.find(units => units < dimensions);
  if (narrow !== undefined)
    throw new GenserveError(
      'CONFIGURATION_INVALID',
      `hidden: a layer needs a unit for each of the ${dimensions} pixels at least, one has ${narrow}`,
      { field: 'configuration.hidden' },
    );
  const network = maskedAutoencoder(scope, { dimensions, hidden: settings.hidden, blocks: settings.blocks });
  const { toOrder, toImage } = ordering(settings, dimensions);
  const vector = (x: Tensor) => toOrder(tf.reshape(x, [-1, dimensions]));
  const picture = (x: Tensor) => tf.reshape(toImage(x), [-1, height, width, 1]);
  const model: BinaryAutoregressiveModel = {
    logits: x => picture(network.map(vector(x))[0]!),
    sampler: {
      counts: [],
      states: {},
      parts: network.blocks.length,
      draw({ uniform, decide, revise }) {
        const drawn = network.draw({
          noise: vector(uniform),
          decide: ([logits], u) => decide(logits!, u),
          ...(revise && {
            revise({ index, start, outputs, state }) {
              const pick = (picture: Tensor) => tf.slice(vector(picture), [0, start], [-1, network.blocks[index]!]);
              const all = Object.fromEntries(state.map((tensor, i) => [String(i), tensor]));
              const revised = revise({ index: tf.scalar(index, 'int32'), logits: outputs[0]!, pick, drawn: all });
              return state.map((_, i) => revised[String(i)]!); // by the names given
            },
          }),
        });
        return { image: picture(drawn), states: {}, given: {} };
      },
    },
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
            // Eq. 4 and 5: the mean over the batch of -log p(x).
            loss: ({ data }) => ({ loss: tf.neg(tf.mean(binaryLogProb(model, data))) }),
          },
        ],
      },
    ],
    ...binaryOperations(model, image, { particles: settings.particles }),
    conditions: [],
  };
}

/** [batch, D] from raster order to the order of the factorisation, and back. */
function ordering({ order, orderSeed }: MadeConfiguration, dimensions: number) {
  const same = (x: Tensor) => x;
  if (order === 'natural') return { toOrder: same, toImage: same };
  const drawn = permutation(dimensions, orderSeed, 'made/order');
  const inverse = new Int32Array(dimensions);
  for (const [place, pixel] of drawn.entries()) inverse[pixel] = place;
  const gather = (indices: Int32Array) => (x: Tensor) => tf.gather(x, tf.tensor1d(indices, 'int32'), 1);
  return { toOrder: gather(drawn), toImage: gather(inverse) };
}
