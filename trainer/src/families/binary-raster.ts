// What every autoregressive model of binary pixels in raster order offers: exact likelihoods in one pass, and samples
// and completions drawn pixel by pixel, in as many runs as the caller likes.
import type { Domain, ImageDomain } from '@genserve/runtime';
import { GenserveError } from '@genserve/runtime';
import type { Tensor } from '@tensorflow/tfjs';
import { bernoulliLogProbMap } from '../distributions/bernoulli.js';
import { sumPerRow } from '../distributions/reduce.js';
import type { Model, NoiseSpec, OperationSpec, PortSpec } from '../family.js';
import { drawRaster, type RasterNetwork } from '../nn/raster.js';
import { tf } from '../trace/tensorflow.js';

/** log p(x_i = 1 | pixels before i) as logits, for all pixels at once and one after the other. */
export interface BinaryRasterModel {
  /** [batch, height, width, 1] and labels int32 [batch] -> logits of the same shape as the image. */
  logits(x: Tensor, label?: Tensor): Tensor;
  raster(label?: Tensor): RasterNetwork;
}

/** The pixels that the model is of: those of the domain, to be binarised anew at every step where they are grey. */
export function binaryDomain(domain: Domain): Domain {
  if (!domain.image || domain.image.levels === 2) return domain;
  return { image: { ...domain.image, levels: 2, binarisation: 'dynamic' } };
}

/** Throws CONFIGURATION_INVALID where the domain is not one of binary images of one channel. */
export function binaryImageOf(family: string, domain: Domain): ImageDomain {
  const { image } = domain;
  const problem = (message: string) =>
    new GenserveError('CONFIGURATION_INVALID', `${family}: ${message}`, { field: 'data' });
  if (!image) throw problem('the data must be images');
  if (image.channels !== 1) throw problem(`the images must have one channel, these have ${image.channels}`);
  if (image.levels !== 2) throw problem(`the images must be binary, these have ${image.levels} levels`);
  return image;
}

/** log p(x), nats, [batch]: the sum over pixels of log p(x_i | x_<i). */
export function binaryLogProb(model: BinaryRasterModel, x: Tensor, label?: Tensor): Tensor {
  return sumPerRow(bernoulliLogProbMap(model.logits(x, label), x));
}

/** Logits are divided by the temperature: 0.8 gives cleaner samples than the model's own, 1 the model's. */
const TEMPERATURE: PortSpec = { name: 'temperature', role: 'temperature', default: 1 };
/** -1: no label. */
const LABEL: PortSpec = { name: 'label', role: 'label', dtype: 'int32', default: -1 };

/** `classes` = 0 where the model is not conditional. */
export function binaryRasterOperations(
  model: BinaryRasterModel,
  image: ImageDomain,
  classes: number,
): Pick<Model, 'operations' | 'noises' | 'likelihood'> {
  const { height, width } = image;
  const shape = [height, width, 1];
  const x: PortSpec = { name: 'x', role: 'data', shape };
  const label = classes > 0 ? [LABEL] : [];
  /** The uniform numbers that pixels are drawn with: pixel i is 1 where u_i < p(x_i = 1 | x_<i). */
  const uniforms: NoiseSpec = { name: 'pixels', distribution: 'uniform', shape };
  const noise: PortSpec = { name: uniforms.name, role: 'noise', shape };
  const counts: PortSpec[] = [
    { name: 'first_row', role: 'count', dtype: 'int32', default: 0 },
    { name: 'row_count', role: 'count', dtype: 'int32', default: height },
  ];
  const states = Object.entries({ above: [1, width, 1], ...model.raster().rowState });
  const statePort = (name: string, shape: readonly number[]): PortSpec => ({ name, role: 'state', shape, default: 0 });
  const stateInputs = states.map(([name, shape]) => statePort(name, shape));
  const stateOutputs = states.map(([name, shape]) => statePort(`next_${name}`, shape));

  /** `uniform` decides each pixel: forced ones lie outside (0, 1). */
  const draw = (inputs: Readonly<Record<string, Tensor>>, uniform: Tensor) => {
    const temperature = tf.reshape(inputs.temperature!, [-1, 1]);
    const { image, above, rowState } = drawRaster(model.raster(inputs.label), {
      image: tf.zerosLike(uniform),
      above: inputs.above!,
      rowState: Object.fromEntries(states.slice(1).map(([name]) => [name, inputs[name]!])),
      firstRow: inputs.first_row!,
      rowCount: inputs.row_count!,
      inputs: { uniform },
      draw: (logits, { uniform }) => tf.cast(tf.less(uniform!, tf.sigmoid(tf.div(logits, temperature))), 'float32'),
    });
    const next = Object.entries({ above, ...rowState }).map(([name, state]) => [`next_${name}`, state]);
    return { image, next: Object.fromEntries(next) as Record<string, Tensor> }; // pairs of a name and a tensor
  };

  const operations: OperationSpec[] = [
    {
      name: 'sample',
      inputs: [noise, TEMPERATURE, ...label, ...counts, ...stateInputs],
      outputs: [x, ...stateOutputs],
      run(inputs) {
        const { image, next } = draw(inputs, inputs.pixels!);
        return { x: image, ...next };
      },
    },
    {
      // Known pixels are fed back as they are given, so that those after them are drawn from p(x_i | x_<i).
      name: 'complete',
      inputs: [x, { name: 'mask', role: 'mask', shape }, noise, TEMPERATURE, ...label, ...counts, ...stateInputs],
      outputs: [{ ...x, name: 'y' }, ...stateOutputs],
      run(inputs) {
        const known = tf.greater(inputs.mask!, 0.5);
        // u < 0 is below every probability, u > 1 above.
        const forced = tf.sub(2, tf.mul(3, inputs.x!));
        const { image, next } = draw(inputs, tf.where(known, forced, inputs.pixels!));
        return { y: tf.where(known, inputs.x!, image), ...next };
      },
    },
    {
      name: 'log_prob',
      inputs: [x, ...label],
      outputs: [{ name: 'log_prob', role: 'log_prob' }],
      run: inputs => ({ log_prob: binaryLogProb(model, inputs.x!, inputs.label) }),
    },
    {
      name: 'log_prob_map',
      inputs: [x, ...label],
      outputs: [{ name: 'map', role: 'map', shape: [height, width] }],
      run(inputs) {
        const logits = model.logits(inputs.x!, inputs.label);
        return { map: tf.squeeze(bernoulliLogProbMap(logits, inputs.x!), [3]) };
      },
    },
  ];
  return {
    operations,
    noises: [uniforms],
    likelihood: {
      kind: 'exact',
      dimensions: height * width,
      measure: `counting measure on {0,1}^${height * width}`,
    },
  };
}
