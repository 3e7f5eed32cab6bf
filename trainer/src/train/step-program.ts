// One training step as one program: forward, gradients, clipping, optimiser and parameter average.
import type { Tensor as FeedTensor, Tensors } from '@genserve/runtime';
import type { Scalar, Tensor } from '@tensorflow/tfjs';
import type { Program, ProgramInput } from '../engine/program.js';
import type { StepInputs, StepResult, StepSpec } from '../family.js';
import type { Variable } from '../nn/variable.js';
import { averagingRate, ParameterAverage } from '../optim/average.js';
import { clip, globalNorm } from '../optim/clip.js';
import { Optimiser } from '../optim/optimiser.js';
import { tf } from '../trace/tensorflow.js';
import type { TrainingSettings } from './settings.js';

export interface StepProgram {
  readonly program: Program;
  /** Scalars to feed for update t = 1, 2, ... at training step `step`. */
  scalars(update: number, step: number, learningRate: number): Tensors;
}

/** What of a step tells what it is fed. */
export type FedStep = Pick<StepSpec, 'name' | 'noises' | 'usesLabel'>;

/** Name of the noise input of a step, and of its stream: several steps may have a noise of one name. */
export function stepNoiseName(step: Pick<StepSpec, 'name'>, noise: string): string {
  return `${step.name}/${noise}`;
}

/** data [batch, ...dataShape], label int32 [batch] where the step uses it, its noises under `stepNoiseName`. */
export function batchInputs(step: FedStep, dataShape: readonly number[]): ProgramInput[] {
  return [
    { name: 'data', dtype: 'float32', shape: ['batch', ...dataShape] },
    ...(step.usesLabel ? [{ name: 'label', dtype: 'int32', shape: ['batch'] } as const] : []),
    ...step.noises.map(({ name, shape }): ProgramInput => {
      return { name: stepNoiseName(step, name), dtype: 'float32', shape: ['batch', ...shape] };
    }),
  ];
}

/** What `batchInputs` were fed, as a step is given it. */
export function readBatch(step: FedStep, fed: Readonly<Record<string, Tensor>>): Omit<StepInputs, 'coefficients'> {
  return {
    data: fed.data!,
    ...(step.usesLabel && { label: fed.label! }),
    noise: Object.fromEntries(step.noises.map(({ name }) => [name, fed[stepNoiseName(step, name)]!])),
  };
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
  const optimiser = new Optimiser(step.name, step.parameters, settings.optimiser);
  const average = settings.parameterAverage > 0 ? new ParameterAverage(step.parameters) : undefined;
  const coefficients = step.coefficients ?? {};
  const scalar = (name: string): ProgramInput => ({ name, dtype: 'float32', shape: [] });
  const inputs: ProgramInput[] = [
    ...batchInputs(step, dataShape),
    ...Object.keys(coefficients).map(scalar),
    scalar('learning_rate'),
    ...Object.keys(optimiser.feeds(1)).map(scalar),
    ...(average ? [scalar('averaging_rate')] : []),
  ];
  return {
    program: {
      name: step.name,
      inputs,
      state: [...variables, ...optimiser.variables(), ...(average?.variables() ?? [])],
      run(fed) {
        const { loss, metrics, gradients } = differentiate(
          () => step.loss({ ...readBatch(step, fed), coefficients: fed }),
          step.parameters,
          variables,
        );
        const norm = globalNorm(gradients);
        optimiser.update(clip(gradients, norm, settings), fed.learning_rate!, fed);
        average?.update(fed.averaging_rate!);
        return { ...metrics, loss, gradient_norm: norm };
      },
    },
    scalars(update, position, learningRate) {
      return Object.fromEntries(
        Object.entries({
          ...Object.fromEntries(Object.entries(coefficients).map(([name, at]) => [name, at(position)])),
          learning_rate: learningRate,
          ...optimiser.feeds(update),
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

/** The loss may assign variables: running statistics. */
function differentiate(
  evaluate: () => StepResult,
  parameters: readonly Variable[],
  variables: readonly Variable[],
): Derivatives {
  let metrics: [string, Tensor][] = [];
  let assigned: [Variable, Tensor][] = [];
  const before = variables.map(variable => variable.value);
  const { value: loss, grads: gradients } = tf.valueAndGrads(() => {
    const result = evaluate();
    // Kept past the scope of the differentiation, released below.
    metrics = Object.entries(result.metrics ?? {}).map(([name, metric]) => [name, tf.keep(metric)]);
    assigned = variables
      .filter((variable, index) => variable.value !== before[index])
      .map(variable => [variable, tf.keep(variable.value)]);
    // StepResult promises a scalar.
    return result.loss as Scalar;
  })(parameters.map(parameter => parameter.value));
  for (const [index, parameter] of parameters.entries())
    if (!gradients[index]) throw new Error(`the loss does not depend on ${parameter.name}`);
  const release = (kept: Tensor) => {
    const result = tf.clone(kept);
    kept.dispose();
    return result;
  };
  for (const [variable, value] of assigned) variable.assign(release(value));
  return { loss, metrics: Object.fromEntries(metrics.map(([name, metric]) => [name, release(metric)])), gradients };
}
