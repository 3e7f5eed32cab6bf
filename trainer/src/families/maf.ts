// The masked autoregressive flow (Papamakarios et al. 2017): MADEs with Gaussian conditionals one after the other, each in the
// reverse order of the one before, with batch normalisation between them.
import { type Domain, GenserveError } from '@genserve/runtime';
import { z } from 'zod';
import type { Family } from '../family.js';
import { flowBatchNorm } from '../nn/flow-batch-norm.js';
import { chain, reversal } from '../nn/flow-layer.js';
import { maskedAffine } from '../nn/masked-affine.js';
import type { Scope } from '../nn/variable.js';
import { tf } from '../trace/tensorflow.js';
import { type Flow, flowModel } from './flow.js';
import { type FlowData, logitImages, standardisedVectors } from './flow-data.js';

/** Of parameters and running statistics alike. */
const AVERAGE = 0.999;

const configuration = z.strictObject({
  /** MADEs in a row. */
  layers: z.int().positive().default(5),
  /** Units of the hidden layers of each. */
  hidden: z.array(z.int().min(2)).min(1).default([1024, 1024]),
  batchNorm: z.boolean().default(true),
  /** Pictures: pixels d in [0, 1] are seen as logit(lambda + (1 - 2 lambda) d). */
  lambda: z.number().min(0).lt(0.5).default(1e-6),
  /** Steps of the staircase that a mask is when units are sorted by degree; changes speed, not the model. */
  blocks: z.int().positive().default(8),
  /** Decay of the running statistics of batch normalisation. */
  decay: z.number().min(0).lt(1).default(AVERAGE),
});

export type MafConfiguration = z.infer<typeof configuration>;

const presets = {
  /** What ships: a bundle of at most 4 MB in float16 on MNIST. */
  small: { layers: 5, hidden: [150], blocks: 4 },
  /** Papamakarios et al. 2017, sec. 4.2: MAF (5). */
  paper: { layers: 5, hidden: [1024, 1024] },
  /** The same, twice as deep: MAF (10). */
  deep: { layers: 10, hidden: [1024, 1024] },
};

export const maf: Family<MafConfiguration> = {
  name: 'maf',
  paper: 'Papamakarios et al. 2017, Masked Autoregressive Flow for Density Estimation',
  url: 'https://arxiv.org/abs/1705.07057',
  configuration,
  presets,
  defaultPreset: 'small',
  training: {
    batch: 100,
    optimiser: { name: 'adam', learningRate: 1e-3 },
    parameterAverage: AVERAGE,
  },

  build(settings, domain, scope) {
    const data = dataOf(settings, domain);
    const dimensions = data.shape.reduce((product, extent) => product * extent, 1);
    const flow = autoregressiveFlow(settings, dimensions, scope);
    const vectorFlow: Flow = {
      rowsApart: !settings.batchNorm,
      latents: [{ name: 'z', shape: [dimensions] }],
      encode(y, mode) {
        const { y: code, logDeterminant } = flow.forward(tf.reshape(y, [-1, dimensions]), mode);
        return { codes: [code], logDeterminant };
      },
      decode: ([code]) => tf.reshape(flow.inverse(code!), [-1, ...data.shape]), // one latent, as above
    };
    return flowModel(vectorFlow, data, scope.trainable());
  },
};

/**
 * Section 3.1 and 3.2: from data to noise. Normalisation stands before each MADE and after the last, so that the first one
 * sees elements of mean 0 and variance 1 as well.
 */
export function autoregressiveFlow(settings: MafConfiguration, dimensions: number, scope: Scope) {
  const { layers, hidden, blocks, batchNorm, decay } = settings;
  const normalisation = (number: number) =>
    batchNorm ? [flowBatchNorm(scope.child(`norm${number}`), { dimensions, decay })] : [];
  return chain([
    ...Array.from({ length: layers }, (_, index) => [
      ...(index > 0 ? [reversal] : []),
      ...normalisation(index + 1),
      maskedAffine(scope.child(`made${index + 1}`), { dimensions, hidden, blocks }),
    ]).flat(),
    ...normalisation(layers + 1),
  ]);
}

function dataOf(settings: MafConfiguration, { image, vector }: Domain): FlowData {
  if (image) return logitImages(image, settings.lambda);
  if (vector) return standardisedVectors(vector);
  throw new GenserveError('CONFIGURATION_INVALID', 'maf: the data must be images or vectors', { field: 'data' });
}
