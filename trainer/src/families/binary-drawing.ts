// Drawing and completing binary images pixel by pixel, as parts that families make operations of.
import type { ImageDomain } from '@genserve/runtime';
import type { Tensor } from '@tensorflow/tfjs';
import { bernoulliLogProbMap } from '../distributions/bernoulli.js';
import type { NoiseSpec, PortSpec } from '../family.js';
import { tf } from '../trace/tensorflow.js';
import { chooseParticle, repeatRows, systematicResampling, takeParticles } from './particles.js';

export type NamedTensors = Readonly<Record<string, Tensor>>;

/** Draws images pixel by pixel. */
export interface BinarySampler {
  /** Inputs that say which part to draw, where a drawing can be done in several runs. */
  readonly counts: readonly PortSpec[];
  /** Shapes, without the batch, of what one run leaves for the next; all zero before the first. */
  readonly states: Readonly<Record<string, readonly number[]>>;
  /** Parts, e.g. rows, after each of which a drawing can be revised. */
  readonly parts: number;
  draw(options: DrawOptions): Drawing;
}

export interface DrawOptions {
  /** Counts by the names of their ports. */
  readonly inputs: NamedTensors;
  readonly states: NamedTensors;
  /** What the model is conditioned on, [batch, n]. */
  readonly condition?: Tensor | undefined;
  /** [batch, height, width, 1] */
  readonly uniform: Tensor;
  /** Logits of a pixel and its uniform number, [batch, 1] or [1, batch] each -> the pixel. */
  decide(logits: Tensor, uniform: Tensor): Tensor;
  /** Called after each part, to replace all that has been drawn and computed so far, by name. */
  revise?(part: DrawnPart): NamedTensors;
}

export interface DrawnPart {
  /** Which part: int32 scalar. */
  readonly index: Tensor;
  /** [batch, pixels of the part] */
  readonly logits: Tensor;
  /** The same pixels of a picture, [batch, height, width, 1] -> [batch, pixels of the part]. */
  pick(picture: Tensor): Tensor;
  readonly drawn: NamedTensors;
}

export interface Drawing {
  /** [batch, height, width, 1] */
  readonly image: Tensor;
  readonly states: NamedTensors;
  /** What was drawn beside the image, as `revise` left it; by name. */
  readonly given: NamedTensors;
}

/** Logits are divided by the temperature: 0.8 gives cleaner samples than the model's own, 1 the model's. */
const TEMPERATURE: PortSpec = { name: 'temperature', role: 'temperature', default: 1 };

/** Ports and function of an operation that draws, besides its data and condition. */
export interface DrawingPart<Options> {
  readonly noises: readonly NoiseSpec[];
  readonly inputs: readonly PortSpec[];
  readonly outputs: readonly PortSpec[];
  run(inputs: NamedTensors, options?: Options): DrawnImage;
}

export interface DrawnImage {
  /** [batch, height, width, 1] */
  readonly image: Tensor;
  /** By the names of `outputs`. */
  readonly next: NamedTensors;
  /** As the sampler's drawing: [batch * particles, ...] for a completion. */
  readonly given: NamedTensors;
}

export interface Conditioned {
  /** What the model is conditioned on, [batch, n]; [batch * particles, n] for a completion. */
  readonly condition?: Tensor | undefined;
}

export interface Weighted extends Conditioned {
  /** Log-weights of the particles before their first pixel, [batch * particles]; equal when absent. */
  readonly logWeights?: Tensor | undefined;
}

export interface BinaryDrawing {
  /** Pixel i is 1 where the uniform number u_i < p(x_i = 1 | x_<i). */
  readonly draw: DrawingPart<Conditioned>;
  /** Inputs x and mask, which the part does not list; known pixels are kept. See particles.ts. */
  readonly complete: DrawingPart<Weighted>;
}

export function binaryDrawing(
  sampler: BinarySampler,
  { height, width }: Pick<ImageDomain, 'height' | 'width'>,
  particles: number,
): BinaryDrawing {
  const shape = [height, width, 1];
  const pixels: NoiseSpec = { name: 'pixels', distribution: 'uniform', shape };
  /** The same for each particle; and what decides after each part, and at last, which of them go on. */
  const particlePixels: NoiseSpec = { name: 'particle_pixels', distribution: 'uniform', shape: [particles, ...shape] };
  const survival: NoiseSpec = { name: 'survival', distribution: 'uniform', shape: [sampler.parts + 1] };
  const stateNames = Object.keys(sampler.states);
  const states = (prefix: string, lead: readonly number[]): PortSpec[] =>
    stateNames.map(name => {
      return { name: `${prefix}${name}`, role: 'state', shape: [...lead, ...sampler.states[name]!], default: 0 };
    });
  const next = (tensors: NamedTensors) =>
    Object.fromEntries(stateNames.map(name => [`next_${name}`, tensors[name]!] as const));

  return {
    draw: {
      noises: [pixels],
      inputs: [noisePort(pixels), TEMPERATURE, ...sampler.counts, ...states('', [])],
      outputs: states('next_', []),
      run(inputs, { condition } = {}) {
        const { decide } = atTemperature(inputs.temperature!);
        const uniform = inputs.pixels!;
        const { image, states, given } = sampler.draw({ inputs, states: inputs, condition, uniform, decide });
        return { image, next: next(states), given };
      },
    },

    complete: {
      noises: [particlePixels, survival],
      inputs: [
        noisePort(particlePixels),
        noisePort(survival),
        TEMPERATURE,
        ...sampler.counts,
        ...states('', [particles]),
      ],
      outputs: states('next_', [particles]),
      run(inputs, { condition, logWeights: firstWeights } = {}) {
        const known = tf.greater(inputs.mask!, 0.5);
        const repeat = (tensor: Tensor) => repeatRows(tensor, particles);
        const [values, mask] = [repeat(inputs.x!), repeat(tf.cast(known, 'float32'))];
        const uniform = tf.reshape(inputs.particle_pixels!, [-1, ...shape]);
        // Known pixels are forced: a threshold below 0 is below every probability, one above 1 above.
        const forced = tf.sub(2, tf.mul(3, values));
        const { decide, logProb } = atTemperature(repeat(inputs.temperature!));
        const drawing = sampler.draw({
          inputs,
          states: Object.fromEntries(
            stateNames.map(name => [name, tf.reshape(inputs[name]!, [-1, ...sampler.states[name]!])]),
          ),
          condition,
          uniform: tf.where(tf.greater(mask, 0.5), forced, uniform),
          decide,
          revise({ index, logits, pick, drawn }) {
            const ofPart = tf.sum(tf.mul(pick(mask), logProb(logits, pick(values))), 1);
            const isFirst = tf.cast(tf.equal(index, tf.scalar(0, 'int32')), 'float32');
            const logWeights = firstWeights ? tf.add(ofPart, tf.mul(isFirst, firstWeights)) : ofPart;
            const places = systematicResampling(logWeights, tf.gather(inputs.survival!, index, 1), particles);
            return Object.fromEntries(
              Object.entries(drawn).map(([name, all]) => [name, takeParticles(all, places, particles)]),
            );
          },
        });
        const last = tf.squeeze(tf.slice(inputs.survival!, [0, sampler.parts], [-1, 1]), [1]);
        const chosen = chooseParticle(drawing.image, last, particles);
        const perRow = Object.fromEntries(
          stateNames.map(name => [name, tf.reshape(drawing.states[name]!, [-1, particles, ...sampler.states[name]!])]),
        );
        return { image: tf.where(known, inputs.x!, chosen), next: next(perRow), given: drawing.given };
      },
    },
  };
}

export const noisePort = ({ name, shape }: NoiseSpec): PortSpec => ({ name, role: 'noise', shape });

/** Bernoulli, logits divided by the temperature [batch]. */
function atTemperature(temperature: Tensor) {
  const column = tf.reshape(temperature, [-1, 1]);
  const row = tf.reshape(temperature, [1, -1]);
  return {
    decide(logits: Tensor, uniform: Tensor) {
      const scaled = tf.div(logits, logits.shape[0] === 1 ? row : column);
      return tf.cast(tf.less(uniform, tf.sigmoid(scaled)), 'float32');
    },
    logProb: (logits: Tensor, value: Tensor) => bernoulliLogProbMap(tf.div(logits, column), value),
  };
}
