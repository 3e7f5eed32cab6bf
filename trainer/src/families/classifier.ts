// A small convolutional classifier in the manner of LeNet (LeCun et al. 1998): its accuracy, its classes and its features are
// what samples of other models are measured by.
import type { Tensor } from '@tensorflow/tfjs';
import { z } from 'zod';
import { toSymmetric } from '../adversarial/image-gan.js';
import { isCorrect, labelLoss } from '../adversarial/losses.js';
import type { Family, NoiseSpec } from '../family.js';
import { batchNorm, type NormMode } from '../nn/batch-norm.js';
import { convolution } from '../nn/convolution.js';
import { dense } from '../nn/dense.js';
import { dropout } from '../nn/dropout.js';
import { tf } from '../trace/tensorflow.js';
import { classCount, imageOf, imagePort } from './image-data.js';

/** Of parameters and running statistics alike. */
const AVERAGE = 0.995;

const layer = z.strictObject({
  channels: z.int().positive(),
  stride: z.union([z.literal(1), z.literal(2)]).default(1),
  /** Height and width of the filter. */
  size: z.int().positive().default(3),
});

const configuration = z.strictObject({
  /** From the picture on; each is normalised over its batch. */
  convolutions: z.array(layer).default([
    { channels: 32, stride: 2, size: 5 },
    { channels: 48, stride: 2, size: 3 },
    { channels: 64, stride: 1, size: 3 },
  ]),
  /** Length of the feature vector between the convolutions and the logits. */
  features: z.int().positive().default(128),
  /** Share of the features that training hides at each step. */
  dropout: z.number().min(0).lt(1).default(0.5),
  /** Decay of the running statistics of batch normalisation. */
  normDecay: z.number().min(0).lt(1).default(AVERAGE),
});

export type ClassifierConfiguration = z.infer<typeof configuration>;

export const classifier: Family<ClassifierConfiguration> = {
  name: 'classifier',
  paper: 'LeCun et al. 1998, Gradient-Based Learning Applied to Document Recognition',
  url: 'https://doi.org/10.1109/5.726791',
  configuration,
  presets: { small: {} },
  defaultPreset: 'small',
  training: {
    batch: 64,
    optimiser: { name: 'adam', learningRate: 2e-3 },
    parameterAverage: AVERAGE,
    schedule: { decayFrom: 0.2 },
  },

  build(settings, domain, scope) {
    const image = imageOf('classifier', domain);
    const classes = classCount(image, 'classifier');
    let { height, width, channels } = image;
    const layers = settings.convolutions.map(({ stride, size, channels: outputs }, index) => {
      const child = scope.child(`convolution${index + 1}`);
      const convolve = convolution(child, { inputs: channels, outputs, size, stride, bias: 'none' });
      const normalise = batchNorm(child.child('norm'), { channels: outputs, decay: settings.normDecay });
      [height, width, channels] = [Math.ceil(height / stride), Math.ceil(width / stride), outputs];
      return (x: Tensor, mode: NormMode) => tf.relu(normalise(convolve(x), mode));
    });
    const maps = height * width * channels;
    const connect = dense(scope.child('features'), { inputs: maps, outputs: settings.features });
    const decide = dense(scope.child('logits'), { inputs: settings.features, outputs: classes });

    const features = (x: Tensor, mode: NormMode): Tensor => {
      const last = layers.reduce((value, apply) => apply(value, mode), toSymmetric(x));
      return tf.relu(connect(tf.reshape(last, [-1, maps])));
    };
    const logits = (x: Tensor): Tensor => decide(features(x, 'serve'));

    const mask: NoiseSpec = { name: 'dropout', distribution: 'uniform', shape: [settings.features] };
    const x = imagePort(image);
    return {
      stages: [
        {
          name: 'joint',
          steps: [
            {
              name: 'classes',
              parameters: scope.trainable(),
              noises: [mask],
              usesLabel: true,
              loss({ data, label, noise }) {
                const answers = decide(dropout(features(data, 'train'), noise.dropout!, settings.dropout));
                return {
                  loss: labelLoss(answers, label!),
                  metrics: { accuracy: tf.mean(isCorrect(answers, label!)) },
                };
              },
            },
          ],
        },
      ],
      validation: {
        noises: [],
        usesLabel: true,
        run: ({ data, label }) => ({ accuracy: isCorrect(logits(data), label!) }),
      },
      operations: [
        {
          name: 'classify',
          inputs: [x],
          outputs: [{ name: 'logits', role: 'logits', shape: [classes] }],
          run: inputs => ({ logits: logits(inputs.x!) }),
        },
        {
          name: 'features',
          inputs: [x],
          outputs: [{ name: 'features', role: 'features', shape: [settings.features] }],
          run: inputs => ({ features: features(inputs.x!, 'serve') }),
        },
      ],
      noises: [],
      likelihood: { kind: 'none', dimensions: 0, measure: '' },
      conditions: [],
    };
  },
};
