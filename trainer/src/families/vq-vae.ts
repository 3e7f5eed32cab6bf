// VQ-VAE (van den Oord et al. 2017): an auto-encoder whose code is a map of indices into a codebook, and a prior over those
// maps that is trained when the auto-encoder is done: a gated PixelCNN, which may be told a label.
import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import { z } from 'zod';
import { LABEL, toSymmetric } from '../adversarial/image-gan.js';
import { categoricalLogProb, drawCategorical } from '../distributions/categorical.js';
import { sumPerRow } from '../distributions/reduce.js';
import type { Family, NoiseSpec, PortSpec } from '../family.js';
import { mapSize, residualDecoder, residualEncoder } from '../nn/residual-networks.js';
import { stopGradient, straightThrough } from '../nn/stop-gradient.js';
import { perplexity, vectorQuantiser } from '../nn/vector-quantiser.js';
import { tf } from '../trace/tensorflow.js';
import { codePrior, codePriorSettings } from './code-prior.js';
import { hideSome, labelDropout } from './condition-dropout.js';
import { imageOf, imagePort } from './image-data.js';

/** Of the codebook, and of the parameters of the encoder that it has to fit. */
const AVERAGE = 0.99;

const configuration = z.strictObject({
  /** Feature maps of the code; layers next to the picture have half as many for each time that it is halved. */
  channels: z.int().positive().default(64),
  /** Times that the picture is halved: 28 -> 14 -> 7. */
  levels: z.int().min(1).max(6).default(2),
  /** Residual blocks of the encoder and of the decoder each, and feature maps inside one. */
  blocks: z.int().min(0).default(2),
  blockChannels: z.int().positive().default(32),
  /** K: embeddings in the codebook. */
  codes: z.int().min(2).default(128),
  /** D: length of an embedding. */
  dimensions: z.int().positive().default(32),
  /** Beta: weight of the commitment loss. */
  commitment: z.number().min(0).default(0.25),
  /** Gamma: decay of the averages that the embeddings are. */
  codebookDecay: z.number().min(0).lt(1).default(AVERAGE),
  /** Share of the budget that the auto-encoder gets before its codes are frozen; the prior gets the rest. */
  firstStage: z.number().gt(0).lt(1).default(0.5),
  prior: codePriorSettings.prefault({}),
  /** Whether the prior is told the label, where the data have labels. */
  conditional: z.boolean().default(true),
  /** Share of labels that training hides, so that a datum without one has a likelihood too. */
  labelDropout: z.number().min(0).max(1).default(0.1),
});

export type VqVaeConfiguration = z.infer<typeof configuration>;

const presets = {
  /** What ships: 128 embeddings, maps of 7x7 for 28x28 pixels. */
  small: {},
  /** The networks of sec. 4.1 and its codebook. */
  paper: { channels: 256, blockChannels: 256, codes: 512, dimensions: 64, prior: { channels: 64, layers: 10 } },
};

export const vqVae: Family<VqVaeConfiguration> = {
  name: 'vq-vae',
  paper: 'van den Oord et al. 2017, Neural Discrete Representation Learning',
  url: 'https://arxiv.org/abs/1711.00937',
  configuration,
  presets,
  defaultPreset: 'small',
  training: {
    batch: 64,
    optimiser: { name: 'adam', learningRate: 1e-3 },
    optimisers: { prior: { learningRate: 2e-3 } },
    parameterAverage: AVERAGE,
  },
  presetTraining: { paper: { batch: 128, optimiser: { name: 'adam', learningRate: 2e-4 } } },

  build(settings, domain, scope) {
    const image = imageOf('vq-vae', domain);
    const { codes, dimensions } = settings;
    const classes = settings.conditional && image.labels.length > 1 ? image.labels.length : 0;
    const networks = { ...settings, image };
    const [height, width] = mapSize(networks);
    const encode = residualEncoder(scope.child('encoder'), networks);
    const codebook = vectorQuantiser(scope.child('codebook'), { codes, dimensions, decay: settings.codebookDecay });
    const decode = residualDecoder(scope.child('decoder'), networks);
    const priorOptions = { ...settings.prior, height, width, codes, dimensions, vector: classes };
    const prior = codePrior(scope.child('prior'), priorOptions);

    /** z_e of the paper, [batch, height, width, dimensions]. */
    const encoded = (x: Tensor) => encode(toSymmetric(x));
    /** Its indices into the codebook, int32 [batch, height, width]. */
    const codesOf = (x: Tensor) => codebook.nearest(encoded(x));
    /** The mean of p(x | z), of embeddings. */
    const pictureOf = (e: Tensor) => tf.clipByValue(tf.div(tf.add(decode(e), 1), 2), 0, 1);
    const reconstruct = (x: Tensor) => pictureOf(codebook.embed(codesOf(x)));
    /** One of K; zero where there is no label. */
    const conditionOf = (label: Tensor | undefined) => label && tf.oneHot(label as Tensor1D, classes, 1, 0, 'float32'); // [batch]
    /** log p(z | h), nats, [batch]. */
    const logPrior = (indices: Tensor, h: Tensor | undefined) =>
      sumPerRow(categoricalLogProb(prior.logits(codebook.embed(indices), h), indices));

    const restart: NoiseSpec = { name: 'restart', distribution: 'uniform', shape: [height, width] };
    const choice: NoiseSpec = { name: 'choice', distribution: 'uniform', shape: [height, width, 1] };
    const x = imagePort(image);
    const map: PortSpec = { name: 'codes', role: 'codes', dtype: 'int32', shape: [height, width], limit: codes };
    const labels = classes > 0 ? [LABEL] : [];

    return {
      stages: [
        {
          name: 'autoencoder',
          until: settings.firstStage,
          steps: [
            {
              name: 'autoencoder',
              parameters: [...scope.child('encoder').trainable(), ...scope.child('decoder').trainable()],
              noises: [restart],
              /** Eq. 3, its second term replaced by the averages of appendix A.1. */
              loss({ data, noise }) {
                const z = encoded(data);
                const indices = stopGradient(z, vectors => codebook.nearest(vectors));
                const e = stopGradient(z, () => codebook.embed(indices));
                const reconstruction = meanSquare(tf.sub(toSymmetric(data), decode(straightThrough(z, e))));
                const commitment = meanSquare(tf.sub(z, e));
                codebook.follow(z, indices, noise.restart!);
                return {
                  loss: tf.add(reconstruction, tf.mul(settings.commitment, commitment)),
                  metrics: { reconstruction, commitment, perplexity: perplexity(indices, codes) },
                };
              },
            },
          ],
        },
        {
          name: 'prior',
          steps: [
            {
              name: 'prior',
              parameters: prior.parameters,
              noises: classes > 0 ? [labelDropout] : [],
              rowsApart: true,
              usesLabel: classes > 0,
              loss({ data, label, noise }) {
                const h = conditionOf(label);
                const shown = h && hideSome(h, noise.label_dropout!, settings.labelDropout);
                return { loss: tf.neg(tf.mean(logPrior(codesOf(data), shown))) };
              },
            },
          ],
        },
      ],
      initialise: {
        noises: [restart],
        run: ({ data, noise }) => codebook.restart(encoded(data), noise.restart!),
      },
      validation: {
        noises: [],
        run: ({ data }) => ({ squared_error: tf.mean(tf.square(tf.sub(data, reconstruct(data))), [1, 2, 3]) }),
      },
      operations: [
        {
          name: 'sample',
          inputs: [{ ...choice, role: 'noise' }, { name: 'temperature', role: 'temperature', default: 1 }, ...labels],
          outputs: [x],
          run({ choice, temperature, label }) {
            const draw = (logits: Tensor, uniform: Tensor) =>
              codebook.embed(drawCategorical(tf.div(logits, tf.reshape(temperature!, [-1, 1])), uniform));
            return { x: pictureOf(prior.draw(choice!, conditionOf(label), draw)) };
          },
        },
        {
          name: 'decode',
          inputs: [map],
          outputs: [x],
          run: inputs => ({ x: pictureOf(codebook.embed(inputs.codes!)) }),
        },
        { name: 'encode', inputs: [x], outputs: [map], run: inputs => ({ codes: codesOf(inputs.x!) }) },
        {
          name: 'reconstruct',
          inputs: [x],
          outputs: [{ ...x, name: 'y' }],
          run: inputs => ({ y: reconstruct(inputs.x!) }),
        },
        {
          name: 'log_prob',
          inputs: [x, ...labels],
          outputs: [{ name: 'log_prob', role: 'log_prob' }],
          run: inputs => ({ log_prob: logPrior(codesOf(inputs.x!), conditionOf(inputs.label)) }),
        },
      ],
      noises: [choice],
      likelihood: {
        kind: 'codes',
        dimensions: height * width,
        measure: `counting measure on {0,...,${codes - 1}}^${height * width}, the codes of a picture`,
      },
      conditions: classes > 0 ? [{ kind: 'label', size: classes, names: image.labels, frequencies: [] }] : [],
    };
  },
};

const meanSquare = (x: Tensor): Tensor => tf.mean(tf.square(x));
