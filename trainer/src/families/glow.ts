// Glow (Kingma & Dhariwal 2018): a flow of several scales, each of steps of actnorm, invertible 1x1 convolution and affine
// coupling.
import { GenserveError, type ImageDomain } from '@genserve/runtime';
import type { Tensor } from '@tensorflow/tfjs';
import { z } from 'zod';
import { sumPerRow } from '../distributions/reduce.js';
import type { Family } from '../family.js';
import { exp } from '../nn/activations.js';
import { actnorm } from '../nn/actnorm.js';
import { affineCoupling } from '../nn/affine-coupling.js';
import { chain, type FlowLayer } from '../nn/flow-layer.js';
import { zeros } from '../nn/initialisers.js';
import { invertibleMatrix, mixing } from '../nn/invertible-convolution.js';
import { squeeze, unsqueeze } from '../nn/squeeze.js';
import type { Scope } from '../nn/variable.js';
import { zeroConvolutionPair } from '../nn/zero-convolution.js';
import { tf } from '../trace/tensorflow.js';
import { type Flow, flowModel, reconstruction } from './flow.js';
import { centredImages } from './flow-data.js';

const configuration = z.strictObject({
  /** L of the paper: scales, each of half the height and width of the one before. */
  levels: z.int().positive().default(2),
  /** K: steps of flow at each scale. */
  steps: z.int().positive().default(8),
  /** Channels of the hidden layers of the coupling networks. */
  width: z.int().positive().default(64),
});

export type GlowConfiguration = z.infer<typeof configuration>;

const presets = {
  /** What ships. */
  small: { levels: 2, steps: 8, width: 64 },
  /** What `genserve bench train` measures, whatever ships. */
  benchmark: { levels: 2, steps: 8, width: 64 },
};

export const glow: Family<GlowConfiguration> = {
  name: 'glow',
  paper: 'Kingma & Dhariwal 2018, Glow: Generative Flow with Invertible 1x1 Convolutions',
  url: 'https://arxiv.org/abs/1807.03039',
  configuration,
  presets,
  defaultPreset: 'small',
  // Without a warm-up the first updates, of a product of many scales, end in a poor minimum. Gradients, of bits per
  // dimension, have norms near 10 but for the time of the greatest learning rate, when single ones are in the hundreds.
  training: {
    batch: 64,
    optimiser: { name: 'adamax', learningRate: 5e-3 },
    parameterAverage: 0.999,
    clipNorm: 50,
    schedule: { warmUpSteps: 500 },
  },

  build(settings, domain, scope) {
    const image = imageOf(settings, domain.image);
    const flow = multiScaleFlow(settings, image, scope);
    const data = centredImages(image);
    const parameters = scope.trainable();
    const model = flowModel(flow, data, parameters);
    return {
      ...model,
      operations: [...model.operations, reconstruction(flow, data)],
      // Section 3.1: actnorm takes its first values from the statistics of the first batch.
      initialise: {
        noises: data.noises,
        run({ data: rows, noise }) {
          flow.encode(data.forward(rows, noise.dequantisation).y, 'initialise');
        },
      },
    };
  },
};

/** Figure 2b: squeeze, K steps, and half of the channels leave, at each level but the last, where all that is left does. */
export function multiScaleFlow({ levels, steps, width }: GlowConfiguration, image: ImageDomain, scope: Scope): Flow {
  const scales = Array.from({ length: levels }, (_, index) => {
    const level = index + 1;
    const own = scope.child(`level${level}`);
    const channels = image.channels * 2 ** (level + 1);
    const flow = chain(
      Array.from({ length: steps }, (_, step) => stepOfFlow(own.child(`step${step + 1}`), channels, width)),
    );
    const size = [image.height / 2 ** level, image.width / 2 ** level];
    if (level === levels) return { flow, shape: [...size, channels], split: undefined };
    return { flow, shape: [...size, channels / 2], split: splitPrior(own.child('split'), channels / 2) };
  });
  const top = topPrior(scope.child('prior'), image.channels * 2 ** (levels + 1));

  return {
    rowsApart: true,
    latents: scales.map(({ shape }, index) => ({ name: `z${index + 1}`, shape })),

    encode(y, mode) {
      let h = y;
      let logDeterminant: Tensor = tf.scalar(0);
      const codes: Tensor[] = [];
      for (const { flow, split } of scales) {
        const moved = flow.forward(squeeze(h), mode);
        h = moved.y;
        logDeterminant = tf.add(logDeterminant, moved.logDeterminant);
        if (!split) continue;
        const [staying, leaving] = halves(h);
        const { y: code, logDeterminant: change } = standardise(leaving, split(staying));
        codes.push(code);
        logDeterminant = tf.add(logDeterminant, change);
        h = staying;
      }
      const last = standardise(h, top());
      return { codes: [...codes, last.y], logDeterminant: tf.add(logDeterminant, last.logDeterminant) };
    },

    decode(codes) {
      let h: Tensor | undefined;
      for (const [index, { flow, split }] of [...scales.entries()].reverse()) {
        const code = codes[index]!;
        if (!split || !h) h = place(code, top());
        else h = tf.concat([h, place(code, split(h))], 3);
        h = unsqueeze(flow.inverse(h));
      }
      return h!; // at least one level
    },
  };
}

/** Figure 2a. */
export function stepOfFlow(scope: Scope, channels: number, width: number): FlowLayer {
  const normalisation = actnorm(scope.child('actnorm'), channels);
  const mix = invertibleMatrix(scope.child('mix'), channels);
  return chain([mixing(normalisation, mix), affineCoupling(scope.child('coupling'), { channels, width })]);
}

/** N(mean, exp(logDeviation)^2), each element apart. */
interface Gaussian {
  readonly mean: Tensor;
  readonly logDeviation: Tensor;
}

/** Section 3.6 of Dinh et al. 2016, as Glow has it: the channels that leave are Gaussian given those that stay. */
function splitPrior(scope: Scope, channels: number): (staying: Tensor) => Gaussian {
  const parameters = zeroConvolutionPair(scope, { inputs: channels, outputs: channels });
  return staying => {
    const [mean, logDeviation] = parameters(staying);
    return { mean, logDeviation };
  };
}

/** Of what is left after the last level: a Gaussian of learned mean and deviation for each channel. */
function topPrior(scope: Scope, channels: number): () => Gaussian {
  const mean = scope.parameter('mean', [channels], zeros);
  const logDeviation = scope.parameter('log_deviation', [channels], zeros);
  return () => ({ mean: mean.value, logDeviation: logDeviation.value });
}

/** To standard normal codes, so that a Gaussian prior is one more layer of the flow. */
function standardise(x: Tensor, { mean, logDeviation }: Gaussian) {
  const y = tf.mul(tf.sub(x, mean), exp(tf.neg(logDeviation)));
  const [, height, width] = x.shape as [number, number, number, number]; // images
  const logDeterminant =
    logDeviation.shape.length === 4 ? tf.neg(sumPerRow(logDeviation)) : tf.mul(-height * width, tf.sum(logDeviation));
  return { y, logDeterminant };
}

/** The inverse of `standardise`. */
function place(code: Tensor, { mean, logDeviation }: Gaussian): Tensor {
  return tf.add(mean, tf.mul(exp(logDeviation), code));
}

function halves(x: Tensor): [Tensor, Tensor] {
  return tf.split(x, 2, 3) as [Tensor, Tensor]; // as many as asked for
}

function imageOf({ levels }: GlowConfiguration, image: ImageDomain | undefined): ImageDomain {
  if (!image) throw new GenserveError('CONFIGURATION_INVALID', 'glow: the data must be images', { field: 'data' });
  const { height, width } = image;
  if (height % 2 ** levels === 0 && width % 2 ** levels === 0) return image;
  throw new GenserveError(
    'CONFIGURATION_INVALID',
    `configuration.levels: pictures of ${height}x${width} cannot be halved ${levels} times`,
    { field: 'configuration.levels' },
  );
}
