// One inference of the Open Inference Protocol, apart from how it came: given tensors in, all of the operation's outputs out.
import {
  buildFeeds,
  concatenate,
  drawSeed,
  invalid,
  type Operation,
  type Runner,
  runStep,
  type Tensor,
  type Tensors,
} from '@genserve/runtime';
import type { Limits } from '../options.js';
import { isBatchPort, takeRows } from '../scheduler/batch.js';
import type { InferenceModel } from './models.js';
import { type Datatype, datatypeOf } from './tensors.js';

export interface InferenceInput {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}

/** Request parameters by name; `seed`, `first_index` and `count` mean something here. */
export type Parameters = Readonly<Record<string, unknown>>;

/** The datatype that the operation takes for this input. @throws INVALID_ARGUMENT for another, or an unknown input. */
export function checkInput(operation: Operation, { name, datatype }: InferenceInput, field: string): Datatype {
  const port = operation.inputs.find(candidate => candidate.name === name);
  if (port === undefined) {
    const known = operation.inputs.map(input => input.name).join(', ');
    throw invalid(`${field}.name`, `there is no input "${name}"; inputs are ${known}`);
  }
  const expected = datatypeOf(port);
  if (datatype !== expected) throw invalid(`${field}.datatype`, `of ${name} must be ${expected}, was "${datatype}"`);
  return expected;
}

/** Names of the outputs to give: those asked for, or all. */
export function chooseOutputs(operation: Operation, asked: readonly string[]): string[] {
  const known = operation.outputs.map(output => output.name);
  asked.forEach((name, i) => {
    if (!known.includes(name)) {
      throw invalid(`outputs[${i}].name`, `there is no output "${name}"; outputs are ${known.join(', ')}`);
    }
  });
  return asked.length > 0 ? [...asked] : known;
}

/** Absent noise is drawn from the parameters, other absent inputs take their defaults; rows run in steps. */
export async function infer(
  { model, operation }: InferenceModel,
  given: Tensors,
  parameters: Parameters,
  runner: Runner,
  limits: Limits,
  signal: AbortSignal,
): Promise<Tensors> {
  const rows = rowsOf(operation, given, parameters);
  if (rows < 1 || rows > limits.maxCount)
    throw invalid('inputs', `must have 1 to ${limits.maxCount} rows, had ${rows}`);
  const seed = readParameter(parameters, 'seed', Number.MAX_SAFE_INTEGER) ?? drawSeed();
  const firstIndex = readParameter(parameters, 'first_index', 2 ** 32 - rows) ?? 0;
  const feeds = buildFeeds(model.manifest, operation, rows, given, { seed, firstIndex });
  const parts: Tensors[] = [];
  const limit = Math.max(1, runner.rowsPerStep(operation.name));
  for (let start = 0; start < rows; start += limit) {
    const count = Math.min(limit, rows - start);
    parts.push(await runStep(runner, operation, takeRows(operation.inputs, feeds, start, count, rows), signal));
  }
  return joinOutputs(operation, parts);
}

function rowsOf(operation: Operation, given: Tensors, parameters: Parameters): number {
  for (const port of operation.inputs.filter(isBatchPort)) {
    const rows = given[port.name]?.shape[0];
    // A single row of one input may serve all rows of another.
    if (rows !== undefined && rows !== 1) return rows;
  }
  return readParameter(parameters, 'count', 2 ** 31) ?? 1;
}

function joinOutputs(operation: Operation, parts: readonly Tensors[]): Tensors {
  const [first = {}] = parts;
  if (parts.length === 1) return first;
  const joined: Record<string, Tensor> = { ...first };
  for (const { name } of operation.outputs.filter(isBatchPort)) {
    joined[name] = concatenate(parts.flatMap(part => part[name] ?? []));
  }
  return joined;
}

function readParameter(parameters: Parameters, name: string, greatest: number): number | undefined {
  const value = parameters[name];
  if (value === undefined) return undefined;
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  if (typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 && number <= greatest) return number;
  throw invalid(`parameters.${name}`, `must be an integer from 0 to ${greatest}, was ${JSON.stringify(value)}`);
}
