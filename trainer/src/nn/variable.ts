// Tensors that live across steps, and the scopes that name them.
import type { Tensor } from '@tensorflow/tfjs';
import { size } from '../graph/types.js';

/** A stream of numbers that several variables draw alike, where their first values are parts of one whole. */
export interface SharedStream {
  readonly name: string;
  readonly length: number;
}

/** Fills a new variable: `normal` and `uniform` draw from the run's seed under the variable's own name. */
export interface InitialiserContext {
  readonly shape: readonly number[];
  /** As many numbers as the shape holds, or those of `stream`. */
  normal(stream?: SharedStream): Float32Array;
  /** Uniform on (0, 1). */
  uniform(): Float32Array;
}
export type Initialiser = (context: InitialiserContext) => Float32Array;

/**
 * A parameter or a running statistic. It holds no numbers: an engine binds `value` while a program runs (to a
 * placeholder when recording) and reads what the program assigned.
 */
export class Variable {
  #value: Tensor | undefined;

  constructor(
    readonly name: string,
    readonly shape: readonly number[],
    readonly initialise: Initialiser,
    readonly trainable: boolean,
    /** Whether it is but added along the last axis: a program may bind one for each row in its place. */
    readonly isBias = false,
  ) {}

  /** The tensor of this run. Throws where no engine has bound the variable. */
  get value(): Tensor {
    if (!this.#value) throw new Error(`variable ${this.name} is read outside a program, or is missing from its state`);
    return this.#value;
  }

  /** New value for the next step (and for later reads in this one). */
  assign(value: Tensor): void {
    this.#value = value;
  }

  /** For engines: binds before a program runs, and releases after it. */
  bind(value: Tensor | undefined): void {
    this.#value = value;
  }
}

/** That the variables hold between them. */
export function countNumbers(variables: readonly Variable[]): number {
  return variables.reduce((sum, { shape }) => sum + size(shape), 0);
}

/** Names variables by module path: `scope.child('encoder').child('conv1').parameter('filter', ...)`. */
export class Scope {
  readonly #variables: Map<string, Variable>;

  constructor(
    readonly path = '',
    variables: Map<string, Variable> = new Map(),
  ) {
    this.#variables = variables;
  }

  child(name: string): Scope {
    return new Scope(this.#join(name), this.#variables);
  }

  /** Trained by an optimiser. */
  parameter(name: string, shape: readonly number[], initialise: Initialiser): Variable {
    return this.#add(name, shape, initialise, true);
  }

  /** A parameter [outputs] that is added along the last axis, by `addBias`, perhaps scaled. */
  bias(name: string, outputs: number, initialise: Initialiser): Variable {
    return this.#add(name, [outputs], initialise, true, true);
  }

  /** Carried across steps but not trained, e.g. a running mean. */
  statistic(name: string, shape: readonly number[], initialise: Initialiser): Variable {
    return this.#add(name, shape, initialise, false);
  }

  /** All variables at or below this scope, in order of creation. */
  variables(): Variable[] {
    return [...this.#variables.values()].filter(v => this.path === '' || v.name.startsWith(`${this.path}/`));
  }

  /** Those of `variables` that an optimiser moves: statistics are not among them. */
  trainable(): Variable[] {
    return this.variables().filter(variable => variable.trainable);
  }

  #join(name: string): string {
    return this.path === '' ? name : `${this.path}/${name}`;
  }

  #add(name: string, shape: readonly number[], initialise: Initialiser, trainable: boolean, isBias = false): Variable {
    const path = this.#join(name);
    if (this.#variables.has(path)) throw new Error(`two variables are named ${path}`);
    const variable = new Variable(path, shape, initialise, trainable, isBias);
    this.#variables.set(path, variable);
    return variable;
  }
}
