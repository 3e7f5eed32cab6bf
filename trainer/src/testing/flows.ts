// Layers and models at hand-made values, and their Jacobians by finite differences. For tests of flows.
import { type Domain, type Tensor as FeedTensor, fillNoise, float32, type Tensors } from '@genserve/runtime';
import type { Tensor } from '@tensorflow/tfjs';
import { eagerEngine } from '../engine/eager.js';
import type { Engine } from '../engine/engine.js';
import type { State } from '../engine/program.js';
import { halfPrecision } from '../export/float16.js';
import { operationProgram } from '../export/operation-program.js';
import type { Family, Model } from '../family.js';
import { Scope, type Variable } from '../nn/variable.js';
import { exportOperations } from '../trace/operations.js';
import { initialState } from '../train/initial-state.js';

/** First values, each parameter moved by normal numbers times `amount`: no scale is 1 and no bias 0 any more. */
export function movedState(variables: readonly Variable[], amount: number, seed = 1): State {
  const state = initialState(variables, seed);
  for (const { name, shape, trainable } of variables) {
    if (!trainable) continue;
    const moves = normals(name, shape, seed);
    state.set(
      name,
      state.get(name)!.map((value, i) => value + amount * moves[i]!),
    );
  }
  return state;
}

export function normals(name: string, shape: readonly number[], seed = 1): Float32Array<ArrayBuffer> {
  return fillNoise({ seed, name: `test/${name}`, distribution: 'normal', shape: [...shape] });
}

/** A family's model for a domain, at parameters that are nowhere special. */
export interface FlowSubject {
  readonly model: Model;
  readonly variables: readonly Variable[];
  readonly state: State;
}

export function flowSubject<Configuration>(
  family: Family<Configuration>,
  settings: object,
  domain: Domain,
  amount = 0.3,
  target?: Domain,
): FlowSubject {
  const scope = new Scope();
  const model = family.build(family.configuration.parse(settings), domain, scope, target);
  const state = movedState(scope.variables(), amount);
  for (const { name, shape } of scope.variables()) {
    // Running statistics as after training: any means, variances above 0.
    if (/norm\d+\/mean$/.test(name)) state.set(name, normals(name, shape));
    if (/norm\d+\/variance$/.test(name))
      state.set(
        name,
        normals(name, shape).map(value => Math.exp(value / 2)),
      );
  }
  return { model, variables: scope.variables(), state };
}

export function imageDomain(height: number, width: number, levels: number, channels = 1): Domain {
  return { image: { height, width, channels, levels, binarisation: 'none', polarity: '', labels: [] } };
}

/** One operation of a subject; a temperature that is not given is 1. */
export async function runFlow(
  { model, variables, state }: FlowSubject,
  name: string,
  given: Tensors,
  engine: Engine = eagerEngine(),
): Promise<Tensors> {
  const operation = model.operations.find(each => each.name === name)!; // every flow has those that tests ask for
  const batch = Object.values(given)[0]!.shape[0]!;
  const asks = operation.inputs.some(port => port.name === 'temperature' && !given.temperature);
  const temperature = asks ? { temperature: float32([batch], new Float32Array(batch).fill(1)) } : {};
  const executable = await engine.compile(operationProgram(operation, variables), batch);
  try {
    return await executable.run({ ...given, ...temperature }, state);
  } finally {
    await executable.close();
  }
}

/** What the operations of a model take in a bundle at half precision, graphs included. */
export function halfPrecisionBytes({ model, variables, state }: FlowSubject): number {
  const programs = model.operations.map(operation => operationProgram(operation, variables));
  const { operations, weights } = exportOperations(programs, state);
  const half = halfPrecision(
    operations.map(operation => operation.model),
    weights,
  );
  return half.models.reduce((sum, { length }) => sum + length, half.weights.length);
}

/** `body` on `x` with the variables at the values of `state`, on TensorFlow.js's cpu backend; keeps what it assigns. */
export async function evaluate(
  variables: readonly Variable[],
  state: State,
  x: FeedTensor,
  body: (x: Tensor) => Record<string, Tensor>,
): Promise<Tensors> {
  const program = {
    name: 'test',
    inputs: [{ name: 'x', dtype: x.dtype, shape: x.shape }],
    state: variables,
    run: ({ x: fed }: Readonly<Record<string, Tensor>>) => body(fed!), // the one input
  };
  return (await eagerEngine().compile(program, 1)).run({ x }, state);
}

/** log|det| of the map of rows [count, ...] at one row, by central differences of all its elements at once. */
export async function numericalLogDeterminant(
  map: (rows: FeedTensor) => Promise<FeedTensor>,
  row: FeedTensor,
  step = 2e-3,
): Promise<number> {
  const n = row.data.length;
  const moved = new Float32Array(2 * n * n);
  for (let i = 0; i < n; i++) {
    for (const [place, sign] of [1, -1].entries()) {
      moved.set(row.data, (2 * i + place) * n);
      moved[(2 * i + place) * n + i]! += sign * step;
    }
  }
  const { data } = await map(float32([2 * n, ...row.shape.slice(1)], moved));
  const jacobian = Float64Array.from({ length: n * n }, (_, k) => {
    const [i, j] = [Math.floor(k / n), k % n];
    // As float32 rounds them, the two points are not exactly 2 * step apart.
    const apart = moved[2 * i * n + i]! - moved[(2 * i + 1) * n + i]!;
    return (data[2 * i * n + j]! - data[(2 * i + 1) * n + j]!) / apart;
  });
  return logAbsDeterminant(jacobian, n);
}

/** By Gaussian elimination with pivoting. */
export function logAbsDeterminant(matrix: Float64Array, n: number): number {
  const a = Array.from({ length: n }, (_, i) => matrix.slice(i * n, (i + 1) * n));
  let sum = 0;
  for (let column = 0; column < n; column++) {
    const best = a.slice(column).reduce((most, row) => (Math.abs(row[column]!) > Math.abs(most[column]!) ? row : most));
    const index = a.indexOf(best);
    [a[column], a[index]] = [best, a[column]!];
    sum += Math.log(Math.abs(best[column]!));
    for (const row of a.slice(column + 1)) {
      const factor = row[column]! / best[column]!;
      for (let k = column; k < n; k++) row[k]! -= factor * best[k]!;
    }
  }
  return sum;
}

/** Greatest difference of two lists of numbers. */
export function greatestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let greatest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    greatest = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(greatest, difference);
  }
  return greatest;
}
