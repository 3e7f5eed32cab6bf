// One training step as one program: forward, gradients, clipping, optimiser and parameter average.
import type { Tensor as FeedTensor, Tensors } from '@genserve/runtime';
import type { Scalar, Tensor } from '@tensorflow/tfjs';
import type { Program, ProgramInput, RowParts } from '../engine/program.js';
import type { StepInputs, StepResult, StepSpec } from '../family.js';
import { size } from '../graph/types.js';
import { countNumbers, type Variable } from '../nn/variable.js';
import { averagingRate, ParameterAverage } from '../optim/average.js';
import { clip, globalNorm } from '../optim/clip.js';
import { Optimiser } from '../optim/optimiser.js';
import { tf } from '../trace/tensorflow.js';
import { optimiserOf, type TrainingSettings } from './settings.js';

export interface StepProgram {
  readonly program: Program;
  /** Scalars to feed for update t = 1, 2, ... (the first of them, where the step repeats) at training step `step`. */
  scalars(update: number, step: number, learningRate: number): Tensors;
}

/** What of a step tells what it is fed. */
export type FedStep = Pick<StepSpec, 'name' | 'noises' | 'usesLabel' | 'vectorSize' | 'target' | 'repeats'>;

/** One update of a step, and the names of what it alone is fed. */
export interface StepUpdate extends FedStep {
  readonly feeds: Readonly<Record<'data' | 'target' | 'label' | 'vector', string>>;
  scalar(name: string): string;
}

/** The updates that a training step makes: one, or critic1, critic2, ... in a row, each fed under its own name. */
export function updatesOf(step: FedStep): StepUpdate[] {
  const { repeats = 1 } = step;
  const feeds = (prefix: string) => {
    return { data: `${prefix}data`, target: `${prefix}target`, label: `${prefix}label`, vector: `${prefix}vector` };
  };
  if (repeats === 1) return [{ ...step, feeds: feeds(''), scalar: name => name }];
  return Array.from({ length: repeats }, (_, index) => {
    const name = `${step.name}${index + 1}`;
    return { ...step, name, feeds: feeds(`${name}/`), scalar: scalar => `${name}/${scalar}` };
  });
}

/** Name of the noise input of an update, and of its stream: several steps may have a noise of one name. */
export function stepNoiseName(step: Pick<StepSpec, 'name'>, noise: string): string {
  return `${step.name}/${noise}`;
}

/** For each update data [batch, ...dataShape], target and label int32 [batch] where the step uses them, noises under `stepNoiseName`. */
export function batchInputs(step: FedStep, dataShape: readonly number[]): ProgramInput[] {
  return updatesOf(step).flatMap(update => [
    { name: update.feeds.data, dtype: 'float32', shape: ['batch', ...dataShape] },
    ...(step.target
      ? [{ name: update.feeds.target, dtype: 'float32', shape: ['batch', ...step.target] } as const]
      : []),
    ...(step.usesLabel ? [{ name: update.feeds.label, dtype: 'int32', shape: ['batch'] } as const] : []),
    ...(step.vectorSize
      ? [{ name: update.feeds.vector, dtype: 'float32', shape: ['batch', step.vectorSize] } as const]
      : []),
    ...step.noises.map(({ name, shape }): ProgramInput => {
      return { name: stepNoiseName(update, name), dtype: 'float32', shape: ['batch', ...shape] };
    }),
  ]);
}

/** What a program is fed, by name. */
type Fed = Readonly<Record<string, Tensor>>;

/** What `batchInputs` were fed for one update, as a loss is given it. */
export function readBatch(update: StepUpdate, fed: Fed): Omit<StepInputs, 'coefficients'> {
  return {
    data: fed[update.feeds.data]!,
    ...(update.target && { target: fed[update.feeds.target]! }),
    ...(update.usesLabel && { label: fed[update.feeds.label]! }),
    ...(update.vectorSize && { vector: fed[update.feeds.vector]! }),
    noise: Object.fromEntries(update.noises.map(({ name }) => [name, fed[stepNoiseName(update, name)]!])),
  };
}

/**
 * Inputs: those of `batchInputs`, the step's coefficients and learning rate, and the optimiser's scalars for each update.
 * Outputs: loss, gradient_norm (before clipping) and the step's metrics, all scalars; means over the updates.
 */
export function stepProgram(
  step: StepSpec,
  variables: readonly Variable[],
  dataShape: readonly number[],
  settings: TrainingSettings,
): StepProgram {
  const optimiser = new Optimiser(step.name, step.parameters, optimiserOf(settings, step.name));
  const average = settings.parameterAverage > 0 ? new ParameterAverage(step.parameters) : undefined;
  const coefficients = step.coefficients ?? {};
  const updates = updatesOf(step);
  /** What changes from update to update. */
  const counted = (update: number) => ({
    ...optimiser.feeds(update),
    ...(average && { averaging_rate: averagingRate(settings.parameterAverage, update) }),
  });
  const countedNames = Object.keys(counted(1));
  const scalar = (name: string): ProgramInput => ({ name, dtype: 'float32', shape: [] });
  const lossInputs = [...batchInputs(step, dataShape), ...Object.keys(coefficients).map(scalar)];
  const updateInputs = [
    scalar('learning_rate'),
    ...updates.flatMap(update => countedNames.map(name => scalar(update.scalar(name)))),
  ];

  const derive = (update: StepUpdate, fed: Fed): Derivatives =>
    differentiate(() => step.loss({ ...readBatch(update, fed), coefficients: fed }), step.parameters, variables);
  /** Returns the norm of the gradients. */
  const descend = (update: StepUpdate, gradients: Tensor[], fed: Fed): Tensor => {
    const own = Object.fromEntries(countedNames.map(name => [name, fed[update.scalar(name)]!]));
    const norm = globalNorm(gradients);
    optimiser.update(clip(gradients, norm, settings), fed.learning_rate!, own);
    average?.update(own.averaging_rate!);
    return norm;
  };
  const runUpdate = (update: StepUpdate, fed: Fed): Record<string, Tensor> => {
    const { loss, metrics, gradients } = derive(update, fed);
    return { ...metrics, loss, gradient_norm: descend(update, gradients, fed) };
  };

  const state = [...variables, ...optimiser.variables(), ...(average?.variables() ?? [])];
  const partsOf = (update: StepUpdate): RowParts => ({
    rows: {
      name: `${step.name}, rows`,
      inputs: lossInputs,
      state: variables,
      run(fed) {
        const { loss, metrics, gradients } = derive(update, fed);
        return { ...metrics, loss, gradients: flatten(gradients) };
      },
    },
    merge: {
      name: `${step.name}, update`,
      inputs: [{ name: 'gradients', dtype: 'float32', shape: [countNumbers(step.parameters)] }, ...updateInputs],
      state,
      run(fed) {
        return { gradient_norm: descend(update, unflatten(fed.gradients!, step.parameters), fed) };
      },
    },
  });
  const [first, ...others] = updates;

  return {
    program: {
      name: step.name,
      inputs: [...lossInputs, ...updateInputs],
      state,
      run: fed => means(updates.map(update => runUpdate(update, fed))),
      parts: step.rowsApart && others.length === 0 ? partsOf(first!) : undefined,
    },
    scalars(first, position, learningRate) {
      return Object.fromEntries(
        Object.entries({
          ...Object.fromEntries(Object.entries(coefficients).map(([name, at]) => [name, at(position)])),
          learning_rate: learningRate,
          ...Object.fromEntries(
            updates.flatMap((update, index) =>
              Object.entries(counted(first + index)).map(([name, value]) => [update.scalar(name), value]),
            ),
          ),
        }).map(([name, value]) => [name, scalarTensor(value)]),
      );
    },
  };
}

/** By name, of scalars that every one of the results has. */
function means(results: readonly Record<string, Tensor>[]): Record<string, Tensor> {
  const [first] = results;
  if (results.length === 1) return first!;
  return Object.fromEntries(
    Object.keys(first!).map(name => [name, tf.div(tf.addN(results.map(result => result[name]!)), results.length)]),
  );
}

function scalarTensor(value: number): FeedTensor {
  return { dtype: 'float32', shape: [], data: Float32Array.of(value) };
}

/** All numbers in one row: a few hundred small tensors take longer from thread to thread than their numbers do. */
function flatten(tensors: readonly Tensor[]): Tensor {
  return tf.concat(tensors.map(tensor => tf.reshape(tensor, [-1])));
}

/** The inverse of `flatten`, for tensors of the shapes of `variables`. */
function unflatten(flat: Tensor, variables: readonly Variable[]): Tensor[] {
  const parts = tf.split(
    flat,
    variables.map(({ shape }) => size(shape)),
  );
  return variables.map(({ shape }, index) => tf.reshape(parts[index]!, [...shape]));
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
