// For tests: a model of small binary images with random parameters, run eagerly or as it is served; and what to compare
// what it draws with.
import { type Domain, fillNoise, float32, int32, type Tensors } from '@genserve/runtime';
import { expect } from 'vitest';
import { compiledEngine } from '../engine/compiled.js';
import { eagerEngine } from '../engine/eager.js';
import type { State } from '../engine/program.js';
import { createSession } from '../engine/session.js';
import { operationProgram } from '../export/operation-program.js';
import type { Family, Model } from '../family.js';
import type { Variable } from '../nn/variable.js';
import { Scope } from '../nn/variable.js';
import { exportOperations } from '../trace/operations.js';
import { initialState } from '../train/initial-state.js';
import { trainingSettings } from '../train/settings.js';
import { stepNoiseName, stepProgram } from '../train/step-program.js';

export interface SubjectCase {
  readonly name: string;
  readonly family: Family;
  readonly settings: object;
  readonly classes: number;
}

// Outside its file a family's configuration is opaque, as in the registry.
export const erase = <Configuration>(family: Family<Configuration>) => family as unknown as Family;

/** A model of random parameters, biases included. */
export class BinarySubject {
  readonly model: Model;
  readonly state: State;
  readonly #variables: readonly Variable[];

  constructor(
    { family, settings, classes }: SubjectCase,
    readonly height: number,
    readonly width: number,
  ) {
    const scope = new Scope();
    const labels = Array.from({ length: classes }, (_, k) => `class ${k}`);
    const domain: Domain = {
      image: { height, width, channels: 1, levels: 2, binarisation: 'none', polarity: '', labels },
    };
    this.model = family.build(family.configuration.parse(settings), domain, scope);
    this.#variables = scope.variables();
    this.state = initialState(this.#variables, 1);
    for (const [name, values] of initialState(this.#variables.map(noisy), 2)) {
      const own = this.state.get(name)!;
      for (const [i, value] of values.entries()) own[i]! += value;
    }
  }

  program(operation: string) {
    const spec = this.model.operations.find(({ name }) => name === operation)!;
    return operationProgram(spec, this.#variables);
  }

  /** Runs an operation; absent inputs take their defaults at this batch size. */
  async eager(operation: string, batch: number, given: Tensors): Promise<Tensors> {
    const executable = await eagerEngine().compile(this.program(operation), batch);
    return executable.run(this.feeds(operation, batch, given), this.state);
  }

  /** Loss after some steps of Adam on the same rows. */
  async train(steps: number, batch: number, given: Tensors): Promise<number> {
    const spec = this.model.stages[0]!.steps[0]!;
    const { program, scalars } = stepProgram(spec, this.#variables, [this.height, this.width, 1], training);
    const state = initialState(program.state, 3);
    const executable = await compiledEngine({ threads: 1 }).compile(program, batch);
    let loss = Number.NaN;
    for (let step = 0; step < steps; step++) {
      const noises = spec.noises.map(({ name, shape }) => {
        const size = [batch, ...shape];
        const seed = { seed: 1, name, distribution: 'uniform', shape, count: batch, draw: step } as const;
        return [stepNoiseName(spec, name), float32(size, fillNoise(seed))];
      });
      const { label, vector, ...feeds } = given;
      const all = {
        ...feeds,
        ...(label && spec.usesLabel && { label }),
        ...(vector && spec.vectorSize && { vector }),
        ...Object.fromEntries(noises),
        ...scalars(step + 1, step, 0.01),
      };
      loss = (await executable.run(all, state)).loss!.data[0]!;
    }
    await executable.close();
    return loss;
  }

  /** The operation as it is served, on onnxruntime. Close it. */
  async serve(operation: string): Promise<ServedOperation> {
    const { operations, weights } = exportOperations([this.program(operation)], this.state);
    const session = await createSession(operations[0]!.model, { threads: 1, ...(weights.length > 0 && { weights }) });
    return {
      run: (batch, given) => session.run(this.feeds(operation, batch, given)),
      close: () => session.close(),
    };
  }

  feeds(operation: string, batch: number, given: Tensors): Tensors {
    const spec = this.model.operations.find(({ name }) => name === operation)!;
    return Object.fromEntries(
      spec.inputs.map(port => {
        const shape = port.role === 'count' ? [] : [batch, ...(port.shape ?? [])];
        const values = new Array(shape.reduce((product, extent) => product * extent, 1)).fill(port.default ?? 0);
        return [
          port.name,
          given[port.name] ?? (port.dtype === 'int32' ? int32(shape, values) : float32(shape, values)),
        ];
      }),
    );
  }

  images(values: ArrayLike<number>) {
    const { height, width } = this;
    return float32([values.length / (height * width), height, width, 1], values);
  }
}

export interface ServedOperation {
  /** Absent inputs take their defaults at this batch size. */
  run(batch: number, given: Tensors): Promise<Tensors>;
  close(): Promise<void>;
}

const training = trainingSettings.parse({
  batch: 1,
  optimiser: { name: 'adam', learningRate: 0.01 },
  parameterAverage: 0,
});

/** Twice the variance that keeps signals equal, biases included: small models far from uniform, yet not saturated. */
const noisy = (variable: Variable): Variable =>
  Object.assign(Object.create(variable), {
    initialise: ({ shape, normal }: Parameters<Variable['initialise']>[0]) => {
      const fanIn = shape.slice(0, -1).reduce((product, extent) => product * extent, 1);
      return normal().map(x => x * Math.sqrt(2 / fanIn));
    },
  });

/** All binary images of n pixels, one after the other. */
export const allImages = (n: number) =>
  Array.from({ length: 2 ** n }, (_, code) => Array.from({ length: n }, (_, i) => (code >> i) & 1)).flat();

/** A repeatable sequence in (0, 1). */
export function uniforms(count: number): number[] {
  let state = 12345;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state + 0.5) / 2 ** 32;
  });
}

/** The number of each image of n pixels, first pixel = lowest bit. */
export function codes(data: ArrayLike<number>, n: number): number[] {
  return Array.from({ length: data.length / n }, (_, row) =>
    Array.from({ length: n }, (_, i) => data[row * n + i]! * 2 ** i).reduce((sum, bit) => sum + bit),
  );
}

/** Every frequency within five standard deviations, and the slack, of its probability. */
export function expectFrequencies(drawn: readonly number[], probabilities: readonly number[], slack = 0) {
  for (const [code, p] of probabilities.entries()) {
    const frequency = drawn.filter(each => each === code).length / drawn.length;
    const deviation = Math.sqrt((p * (1 - p)) / drawn.length);
    expect(Math.abs(frequency - p), `image ${code}: ${frequency} for ${p}`).toBeLessThanOrEqual(
      5 * deviation + slack + 1e-9,
    );
  }
}
