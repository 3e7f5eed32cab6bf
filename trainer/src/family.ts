// What a model family is: one file in families/ that reads like its paper and exports one `Family`.
import type { Domain, Manifest } from '@genserve/runtime';
import type { Tensor } from '@tensorflow/tfjs';
import type { z } from 'zod';
import type { Scope, Variable } from './nn/variable.js';
import type { ClipSettings } from './optim/clip.js';
import type { Schedule } from './optim/schedule.js';

/** A random input, drawn by runtime's generator: never inside a graph. */
export interface NoiseSpec {
  readonly name: string;
  readonly distribution: 'normal' | 'uniform';
  /** Shape for one sample. */
  readonly shape: readonly number[];
}

/** A port of an operation; `shape` is per sample unless `scalar`. See Manifest.Port for roles. */
export interface PortSpec {
  readonly name: string;
  readonly role: string;
  readonly dtype?: 'float32' | 'int32';
  /** Without the batch dimension; absent for one number per row. */
  readonly shape?: readonly number[];
  readonly level?: number;
  readonly default?: number;
  /** Of codes: whole numbers from 0 below it. */
  readonly limit?: number;
}

export interface OperationSpec {
  readonly name: string;
  readonly inputs: readonly PortSpec[];
  readonly outputs: readonly PortSpec[];
  /** Serving mode: running statistics, no assignment. Tensors are [batch, ...port.shape]. */
  run(inputs: Readonly<Record<string, Tensor>>): Record<string, Tensor>;
}

export interface StepInputs {
  /** Rows [batch, ...domain], already binarised or quantised as the domain states. */
  readonly data: Tensor;
  /** [batch, ...target]: what the rows are paired with. Present if the step asks for it. */
  readonly target?: Tensor;
  /** int32 [batch]; -1 = no label. Present if the step asks for it. */
  readonly label?: Tensor;
  /** [batch, n]. Present if the step asks for it. */
  readonly vector?: Tensor;
  /** [batch, ...shape] by noise name. */
  readonly noise: Readonly<Record<string, Tensor>>;
  /** Scalars by name, fed from schedules. */
  readonly coefficients: Readonly<Record<string, Tensor>>;
}

export interface StepResult {
  /** Scalar that the step's optimiser minimises. */
  readonly loss: Tensor;
  /** Scalars to log, e.g. {reconstruction, kl}. */
  readonly metrics?: Readonly<Record<string, Tensor>>;
}

/** One optimiser's part of a training step: a network against its loss. Those of a stage run one after the other. */
export interface StepSpec {
  readonly name: string;
  readonly parameters: readonly Variable[];
  readonly noises: readonly NoiseSpec[];
  /** How each fed coefficient moves with the step of its stage (e.g. KL warm-up); evaluated outside the graph. */
  readonly coefficients?: Readonly<Record<string, (step: number) => number>>;
  readonly usesLabel?: boolean;
  /** Length of the vector that each datum comes with; none when absent. */
  readonly vectorSize?: number;
  /** Shape of one paired target, where the step asks for it: data sets without targets are then refused. */
  readonly target?: readonly number[];
  /** Updates in a row, in one graph, each with rows and noises of its own, e.g. 5 of a critic; 1 when absent. */
  readonly repeats?: number;
  /** Training steps from one update to the next; 1 when absent. */
  readonly every?: number;
  /**
   * Whether loss and metrics are means over rows of what each row gives by itself, with nothing assigned: parts of a batch are
   * then run side by side. False for batch normalisation.
   */
  readonly rowsApart?: boolean;
  /** May assign statistics, of the networks that the step trains alone. */
  loss(inputs: StepInputs): StepResult;
}

/** Sets parameters by data: run once, on the first batch of a run, before its first step. */
export interface InitialiseSpec {
  readonly noises: readonly NoiseSpec[];
  readonly usesLabel?: boolean;
  /** Shape of one paired target, where the step asks for it: data sets without targets are then refused. */
  readonly target?: readonly number[];
  /** Assigns variables and returns nothing. */
  run(inputs: Omit<StepInputs, 'coefficients'>): void;
}

/**
 * What is trained together. When a stage ends, its parameters become their averages, which are what is exported: later
 * stages see the network that will be served.
 */
export interface StageSpec {
  readonly name: string;
  /** Their names are those of no other step of the model. */
  readonly steps: readonly StepSpec[];
  /** Share of the budget, 0 to 1, that is spent when it ends; equal parts where absent. That of the last one is 1. */
  readonly until?: number;
}

/** Figures of held-out rows while a model trains, e.g. a critic's loss or a classifier's accuracy. */
export interface ValidationSpec {
  readonly noises: readonly NoiseSpec[];
  readonly usesLabel?: boolean;
  /** Shape of one paired target, where the step asks for it: data sets without targets are then refused. */
  readonly target?: readonly number[];
  /** Serving mode. By name, one number per row [batch]; their means are logged. */
  run(inputs: Omit<StepInputs, 'coefficients'>): Record<string, Tensor>;
}

/** A family built for one configuration and one domain. */
export interface Model {
  /** Trained in order; one for most families. */
  readonly stages: readonly StageSpec[];
  /** Absent for models whose first values are drawn, all of them. */
  readonly initialise?: InitialiseSpec;
  /** Beside the likelihood, which is logged where there is one. */
  readonly validation?: ValidationSpec;
  readonly operations: readonly OperationSpec[];
  /** Noises of the operations (steps list their own). */
  readonly noises: readonly NoiseSpec[];
  readonly likelihood: NonNullable<Manifest['likelihood']>;
  readonly conditions: Manifest['conditions'];
}

/** Each optimiser reads its own and leaves the rest alone; see optim/rules.ts. */
export interface OptimiserSettings {
  readonly name: 'sgd' | 'momentum' | 'rmsprop' | 'adam' | 'adamax';
  readonly learningRate: number;
  /** adam, adamax: 0.9 when absent. */
  readonly beta1?: number;
  /** adam, adamax: 0.999 when absent. */
  readonly beta2?: number;
  /** adam, adamax, rmsprop: 1e-8 when absent. */
  readonly epsilon?: number;
  /** momentum: 0.9 when absent. */
  readonly momentum?: number;
  /** rmsprop, of the mean of squares: 0.9 when absent. */
  readonly decay?: number;
  /** Pull of every parameter towards 0; none when absent. */
  readonly weightDecay?: number;
  /** Whether the pull goes past the optimiser (Loshchilov & Hutter 2019) and not into the gradient (L2). False when absent. */
  readonly decoupled?: boolean;
}

/** What a preset suggests for training; `--set` and recipes override it. */
export interface TrainingDefaults extends Partial<ClipSettings> {
  readonly batch: number;
  readonly optimiser: OptimiserSettings;
  /** What differs for single steps, by their names. */
  readonly optimisers?: Readonly<Record<string, Partial<OptimiserSettings>>>;
  /** Decay of the exponential moving average of the parameters that is evaluated and exported; 0 = none. */
  readonly parameterAverage: number;
  readonly schedule?: Partial<Schedule>;
}

export interface Family<Configuration = unknown> {
  readonly name: string;
  /** Citation, e.g. "Kingma & Welling 2013, Auto-Encoding Variational Bayes". */
  readonly paper: string;
  readonly url: string;
  readonly configuration: z.ZodType<Configuration>;
  /** Partial configurations by name; 'small' ships in models/. */
  readonly presets: Readonly<Record<string, object>>;
  /** The preset that is used when none is named. */
  readonly defaultPreset: string;
  readonly training: TrainingDefaults;
  /** What a preset changes in `training`, by its name. */
  readonly presetTraining?: Readonly<Record<string, Partial<TrainingDefaults>>>;
  /** The domain that the model is of, where it differs from the data's (e.g. pixels to binarise); the data's when absent. */
  domain?(configuration: Configuration, domain: Domain): Domain;
  /**
   * `target`: the domain of what rows are paired with, where the data set has pairs.
   * Throws CONFIGURATION_INVALID where the domains do not suit the family.
   */
  build(configuration: Configuration, domain: Domain, scope: Scope, target?: Domain): Model;
}
