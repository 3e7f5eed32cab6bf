// One inference of the Open Inference Protocol, apart from how it came: from a request to an answer, without a socket.
import {
  buildFeeds,
  concatenate,
  drawSeed,
  GenserveError,
  invalid,
  type Operation,
  type Port,
  type Runner,
  runStep,
  type Tensor,
  type Tensors,
} from '@genserve/runtime';
import type { Limits } from '../options.js';
import type { RequestScope } from '../request-scope.js';
import { isBatchPort, takeRows } from '../scheduler/batch.js';
import type { Services } from '../verbs/verb.js';
import { type GivenInput, type Parameters, readInputs, refuseSharedMemory } from './inputs.js';
import { findInferenceModel, type InferenceModel } from './models.js';

export interface InferenceRequest {
  readonly model: string;
  /** '' for the default version. */
  readonly version: string;
  readonly id: string | undefined;
  /** `seed`, `first_index` and `count` mean something here. */
  readonly parameters: Parameters;
  readonly inputs: readonly GivenInput[];
  /** All outputs when empty. */
  readonly outputs: readonly { readonly name: string; readonly parameters: Parameters }[];
}

export interface InferenceAnswer {
  readonly model: string;
  readonly version: string;
  readonly id: string | undefined;
  /** `seed` and `first_index` where noise was drawn: with them the same request gives the same answer. */
  readonly parameters: Readonly<Record<string, number>>;
  readonly outputs: readonly { readonly name: string; readonly tensor: Tensor }[];
}

/** Absent noise is drawn from the parameters, other absent inputs take their defaults; rows run in steps. */
export async function infer(
  request: InferenceRequest,
  services: Services,
  scope: RequestScope,
): Promise<InferenceAnswer> {
  const found = findInferenceModel(services.repository, request.model, request.version);
  const { model, operation } = found;
  const names = chooseOutputs(operation, request.outputs);
  const given = readInputs(request.inputs, operation);
  const rows = rowsOf(operation, given, request.parameters, services.limits);
  const seed = readParameter(request.parameters, 'seed', Number.MAX_SAFE_INTEGER) ?? drawSeed();
  const firstIndex = readParameter(request.parameters, 'first_index', 2 ** 32 - rows) ?? 0;
  const fieldOf = ({ name }: Port): string => {
    const place = request.inputs.findIndex(input => input.name === name);
    return place < 0 ? name : `inputs[${place}]`;
  };
  const feeds = buildFeeds(model.manifest, operation, rows, given, { seed, firstIndex, fieldOf });
  const runner = withState(names, services.runnerFor(model, scope), operation);
  const outputs = await runRows(found, runner, feeds, rows, scope.signal);
  const drew = operation.inputs.some(port => port.role === 'noise' && given[port.name] === undefined);
  return {
    model: request.model,
    version: String(model.version),
    id: request.id,
    parameters: drew ? { seed, first_index: firstIndex } : {},
    outputs: names.map(name => ({ name, tensor: outputOf(outputs, name) })),
  };
}

/** Names of the outputs to give: those asked for, or all. */
function chooseOutputs(operation: Operation, asked: InferenceRequest['outputs']): string[] {
  const known = operation.outputs.map(output => output.name);
  asked.forEach(({ name, parameters }, i) => {
    const place = `outputs[${i}]`;
    if (!known.includes(name)) {
      throw invalid(`${place}.name`, `there is no output "${name}"; outputs are ${known.join(', ')}`);
    }
    refuseSharedMemory(parameters, place);
    if (parameters.classification !== undefined) {
      const field = `${place}.parameters.classification`;
      throw new GenserveError('OPERATION_UNSUPPORTED', `${field}: is not supported; ask for the tensor`, { field });
    }
  });
  return asked.length > 0 ? asked.map(({ name }) => name) : known;
}

/** Runs give the state that is among `names`, beside all that is not state. */
function withState(names: readonly string[], runner: Runner, operation: Operation): Runner {
  const given = operation.outputs.filter(({ name, role }) => role !== 'state' || names.includes(name));
  const outputs = given.map(({ name }) => name);
  return { ...runner, run: (member, feeds, options) => runner.run(member, feeds, { ...options, outputs }) };
}

/** The next step is under way while one is awaited, so that the executor need not wait in between. */
async function runRows(
  { operation }: InferenceModel,
  runner: Runner,
  feeds: Tensors,
  rows: number,
  signal: AbortSignal,
): Promise<Tensors> {
  const parts: Tensors[] = [];
  const limit = Math.max(1, runner.rowsPerStep(operation.name));
  let before: Promise<Tensors> | undefined;
  for (let start = 0; start < rows; start += limit) {
    const count = Math.min(limit, rows - start);
    const step = runStep(runner, operation, takeRows(operation.inputs, feeds, start, count, rows), signal);
    step.catch(() => undefined); // heard of when its turn comes, if it does
    if (before !== undefined) parts.push(await before);
    before = step;
  }
  if (before !== undefined) parts.push(await before);
  return joinOutputs(operation, parts);
}

function rowsOf(operation: Operation, given: Tensors, parameters: Parameters, limits: Limits): number {
  const rows = givenRows(operation, given) ?? readParameter(parameters, 'count', 2 ** 31) ?? 1;
  if (rows >= 1 && rows <= limits.maxCount) return rows;
  throw invalid('inputs', `must have 1 to ${limits.maxCount} rows, had ${rows}`);
}

/** A single row of one input may serve all rows of another. */
function givenRows(operation: Operation, given: Tensors): number | undefined {
  const rows = operation.inputs.filter(isBatchPort).map(port => given[port.name]?.shape[0]);
  return rows.find(count => count !== undefined && count !== 1);
}

function joinOutputs(operation: Operation, parts: readonly Tensors[]): Tensors {
  const [first = {}] = parts;
  if (parts.length === 1) return first;
  const joined: Record<string, Tensor> = { ...first };
  for (const { name } of operation.outputs.filter(isBatchPort)) {
    if (first[name] !== undefined) joined[name] = concatenate(parts.flatMap(part => part[name] ?? []));
  }
  return joined;
}

function outputOf(outputs: Tensors, name: string): Tensor {
  const tensor = outputs[name];
  if (tensor === undefined) throw new GenserveError('INTERNAL', `the graph gave no output ${name}`);
  return tensor;
}

function readParameter(parameters: Parameters, name: string, greatest: number): number | undefined {
  const value = parameters[name];
  if (value === undefined) return undefined;
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  if (typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 && number <= greatest) return number;
  throw invalid(`parameters.${name}`, `must be an integer from 0 to ${greatest}, was ${JSON.stringify(value)}`);
}
