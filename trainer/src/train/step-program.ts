// One training step as one program: forward, gradients, clipping, optimiser and parameter average.
import type { Tensor as FeedTensor, Tensors } from '@genserve/runtime';
import type { Scalar, Tensor } from '@tensorflow/tfjs';
import type { Program, ProgramInput } from '../engine/program.js';
import type { StepResult, StepSpec } from '../family.js';
import type { Variable } from '../nn/variable.js';
import { Adam } from '../optim/adam.js';
import { averagingRate, ParameterAverage } from '../optim/average.js';
import { clipByGlobalNorm, globalNorm } from '../optim/clip.js';
import { tf } from '../trace/tensorflow.js';
import type { TrainingSettings } from './settings.js';

export interface StepProgram {
  readonly program: Program;
  /** Scalars to feed for update t = 1, 2, ... at training step `step`. */
  scalars(update: number, step: number, learningRate: number): Tensors;
}

/** Name of the noise input of a step, and of its stream: several steps may have a noise of one name. */
export function stepNoiseName(step: StepSpec, noise: string): string {
  return `${step.name}/${noise}`;
}

/**
 * Inputs: data [batch, ...dataShape], label int32 [batch], the step's noises under `stepNoiseName`, its coefficients and
 * the optimiser's scalars. Outputs: loss, gradient_norm (before clipping) and the step's metrics, all scalars.
 */
export function stepProgram(
  step: StepSpec,
  variables: readonly Variable[],
  dataShape: readonly number[],
  settings: TrainingSettings,
): StepProgram {
  const adam = new Adam(step.name, step.parameters, settings.optimiser);
  const average = settings.parameterAverage > 0 ? new ParameterAverage(step.parameters) : undefined;
  const coefficients = step.coefficients ?? {};
  const scalar = (name: string): ProgramInput => ({ name, dtype: 'float32', shape: [] });
  const inputs: ProgramInput[] = [
    { name: 'data', dtype: 'float32', shape: ['batch', ...dataShape] },
    ...(step.usesLabel ? [{ name: 'label', dtype: 'int32', shape: ['batch'] } as const] : []),
    ...step.noises.map(({ name, shape }): ProgramInput => {
      return { name: stepNoiseName(step, name), dtype: 'float32', shape: ['batch', ...shape] };
    }),
    ...Object.keys(coefficients).map(scalar),
    scalar('learning_rate'),
    scalar('correction1'),
    scalar('correction2'),
    ...(average ? [scalar('averaging_rate')] : []),
  ];
  return {
    program: {
      name: step.name,
      inputs,
      state: [...variables, ...adam.variables(), ...(average?.variables() ?? [])],
      run(fed) {
        const noise = Object.fromEntries(step.noises.map(({ name }) => [name, fed[stepNoiseName(step, name)]!]));
        const label = step.usesLabel ? { label: fed.label! } : {};
        const { loss, metrics, gradients } = differentiate(
          () => step.loss({ data: fed.data!, ...label, noise, coefficients: fed }),
          step.parameters,
        );
        const norm = globalNorm(gradients);
        const clipped = settings.clipNorm > 0 ? clipByGlobalNorm(gradients, norm, settings.clipNorm) : gradients;
        adam.update(clipped, {
          learningRate: fed.learning_rate!,
          correction1: fed.correction1!,
          correction2: fed.correction2!,
        });
        average?.update(fed.averaging_rate!);
        return { ...metrics, loss, gradient_norm: norm };
      },
    },
    scalars(update, position, learningRate) {
      return Object.fromEntries(
        Object.entries({
          ...Object.fromEntries(Object.entries(coefficients).map(([name, at]) => [name, at(position)])),
          learning_rate: learningRate,
          ...adam.feeds(update),
          ...(average && { averaging_rate: averagingRate(settings.parameterAverage, update) }),
        }).map(([name, value]) => [name, scalarTensor(value)]),
      );
    },
  };
}

function scalarTensor(value: number): FeedTensor {
  return { dtype: 'float32', shape: [], data: Float32Array.of(value) };
}

interface Derivatives {
  readonly loss: Tensor;
  readonly metrics: Record<string, Tensor>;
  readonly gradients: Tensor[];
}

function differentiate(evaluate: () => StepResult, parameters: readonly Variable[]): Derivatives {
  let kept: [string, Tensor][] = [];
  const { value: loss, grads: gradients } = tf.valueAndGrads(() => {
    const result = evaluate();
    // Kept past the scope of the differentiation, released below.
    kept = Object.entries(result.metrics ?? {}).map(([name, metric]) => [name, tf.keep(metric)]);
    // StepResult promises a scalar.
    return result.loss as Scalar;
  })(parameters.map(parameter => parameter.value));
  for (const [index, parameter] of parameters.entries())
    if (!gradients[index]) throw new Error(`the loss does not depend on ${parameter.name}`);
  const metrics = Object.fromEntries(kept.map(([name, metric]) => [name, tf.clone(metric)]));
  for (const [, metric] of kept) metric.dispose();
  return { loss, metrics, gradients };
}
