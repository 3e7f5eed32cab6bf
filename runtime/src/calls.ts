// How every verb becomes steps: checks what a caller gave, cuts it into steps, feeds and runs them, and hands on what
// comes out.
import type { Manifest, Operation, Port } from '@genserve/proto/manifest';
import type { Bundle } from './bundle.js';
import { throwIfAborted } from './cancel.js';
import { GenserveError, invalid } from './errors.js';
import type { CallOptions, Conditions, DrawOptions, Samples, StreamOptions } from './generator.js';
import { inputsOf } from './manifest.js';
import { checkSeed, drawSeed } from './noise.js';
import { checkCount, OperationInputs, type StepRow } from './ports.js';
import type { Runner } from './session.js';
import { slicesOf, stepParts } from './steps.js';
import { concatenate, float32, int32, type Tensor, type Tensors } from './tensor.js';

/** What one verb runs. */
export interface Call {
  readonly operation: Operation;
  readonly inputs: OperationInputs;
  readonly rows: readonly StepRow[];
  readonly options: CallOptions & StreamOptions;
}

export interface Step {
  readonly rows: readonly StepRow[];
  /** One per row, drawn ones included; absent where the operation takes none. */
  readonly labels?: readonly number[] | undefined;
  readonly outputs: Tensors;
  /** Of a preview: the rows of each picture that are drawn. The same step comes again, further on. */
  readonly drawnRows?: number | undefined;
}

/** The calls of one model; what `BundleGenerator` and the scoring verbs share. */
export class Calls {
  readonly manifest: Manifest;

  constructor(
    readonly bundle: Pick<Bundle, 'manifest' | 'table'>,
    readonly runner: Runner,
  ) {
    this.manifest = bundle.manifest;
  }

  /** Rows whose noise is that of samples firstIndex, firstIndex + 1, ... */
  drawing(operation: Operation, given: Tensors, count: number, options: DrawOptions & StreamOptions): Call {
    const { temperature, truncation, firstIndex = 0 } = options;
    const seed = options.seed === undefined ? drawSeed() : checkSeed(options.seed);
    checkCount(count, 'count');
    checkCount(firstIndex, 'firstIndex', 0);
    if (firstIndex + count > 2 ** 32) throw invalid('firstIndex', `plus count must not exceed 2^32, was ${firstIndex}`);
    const all = {
      ...given,
      ...this.#scale(operation, 'temperature', temperature),
      ...this.#scale(operation, 'truncation', truncation),
    };
    const rows = Array.from({ length: count }, (_, index) => ({ index, sample: firstIndex + index, draw: 0 }));
    return this.call(operation, all, count, seed, rows, options);
  }

  /** Rows with the noise that they name. */
  call(
    operation: Operation,
    given: Tensors,
    count: number,
    seed: number,
    rows: readonly StepRow[],
    options: CallOptions & StreamOptions,
  ): Call {
    return {
      operation,
      inputs: new OperationInputs(this.manifest, operation, count, given, seed, fieldOf),
      rows,
      options,
    };
  }

  /** The data that the call gives, one part a step, previews of it before it where they are asked for. */
  async *draw(call: Call): AsyncGenerator<Samples, void, undefined> {
    const data = outputOf(call.operation, 'data');
    for await (const { rows, labels, outputs, drawnRows } of this.steps(call)) {
      yield {
        data: outputs[data.name]!,
        seed: call.inputs.seed,
        firstIndex: rows[0]!.sample, // a step has at least one row
        ...(labels && { labels }),
        ...(drawnRows !== undefined && { drawnRows }),
      };
    }
  }

  /** These outputs for all rows of the call. */
  async gather(call: Call, ports: readonly Port[]): Promise<Tensors> {
    const parts: Tensors[] = [];
    for await (const step of this.steps(call)) parts.push(step.outputs);
    return Object.fromEntries(ports.map(({ name }) => [name, concatenate(parts.map(part => part[name]!))]));
  }

  /**
   * Runs the call step by step, checking the signal before each and reporting progress after it. The next step is under way
   * while one is handed on, so that the runner need not wait for whoever takes them; steps come in order.
   */
  async *steps(call: Call): AsyncGenerator<Step> {
    const { operation, rows, options } = call;
    // Pictures that are seen while they are drawn are drawn side by side: a run is one row of each.
    const slices = options.previews ? slicesOf(operation) : 1;
    const limit = Math.max(1, Math.floor(this.runner.rowsPerStep(operation.name) * slices));
    let done = 0;
    const advance = (by: number) => {
      done += by;
      options.onProgress?.({ phase: 'run', done, total: rows.length, unit: 'rows' });
    };
    const begin = (start: number) => this.#parts(call, rows.slice(start, start + limit), advance);
    if (options.previews) {
      for (let start = 0; start < rows.length; start += limit) yield* begin(start);
      return;
    }
    let ahead: Promise<Step> | undefined = last(begin(0));
    for (let start = limit; ahead !== undefined; start += limit) {
      const step: Promise<Step> = ahead;
      ahead = start < rows.length ? last(begin(start)) : undefined;
      ahead?.catch(() => undefined); // heard of when its turn comes, if it does
      yield await step;
    }
  }

  /** One step: its previews where it is drawn in slices, and last the whole of it. */
  async *#parts(
    { operation, inputs, options }: Call,
    rows: readonly StepRow[],
    advance: (rows: number) => void,
  ): AsyncGenerator<Step, void, undefined> {
    const { signal, previews = false } = options;
    throwIfAborted(signal);
    const [label] = inputsOf(operation, 'label');
    const feeds = inputs.feeds(rows);
    // Read before the run, which may transfer its feeds.
    const labels = label && Array.from(feeds[label.name]!.data);
    let before = 0;
    for await (const { outputs, drawn } of stepParts(this.runner, operation, feeds, { signal, byRow: previews })) {
      const done = drawn ? drawn.rows / drawn.of : 1;
      advance(rows.length * (done - before));
      before = done;
      yield { rows, labels, outputs, ...(drawn && { drawnRows: drawn.rows }) };
    }
  }

  data(operation: Operation, data: Tensor): Tensors {
    return this.input(operation, 'data', data, 'data');
  }

  input(operation: Operation, role: string, value: Tensor, field: string): Tensors {
    const [port] = inputsOf(operation, role);
    if (!port) throw invalid(field, `${operation.name} of ${this.manifest.name} takes no ${field}`);
    return { [port.name]: value };
  }

  latents(operation: Operation, latents: Tensors): Tensors {
    const ports = [...inputsOf(operation, 'latent'), ...inputsOf(operation, 'codes')].map(port => port.name);
    for (const name of Object.keys(latents))
      if (!ports.includes(name)) throw invalid(`latents.${name}`, `is unknown; decode takes ${ports.join(', ')}`);
    return latents;
  }

  conditions(operation: Operation, { label, vector, attributes, text }: Conditions): Tensors {
    const labels = label === undefined ? [] : [label].flat();
    labels.forEach((value, i) => {
      if (!Number.isInteger(value)) throw invalid(labels.length > 1 ? `label[${i}]` : 'label', 'must be an integer');
    });
    if (text !== undefined)
      throw new GenserveError('OPERATION_UNSUPPORTED', `${this.manifest.name} takes no text`, { field: 'text' });
    return {
      ...(labels.length > 0 && this.input(operation, 'label', int32([labels.length], labels), 'label')),
      ...(vector && this.input(operation, 'vector', vector, 'vector')),
      ...(attributes && this.input(operation, 'attributes', attributes, 'attributes')),
    };
  }

  /** 1 changes nothing, so it is taken by every model. */
  #scale(operation: Operation, role: 'temperature' | 'truncation', value: number | undefined): Tensors {
    if (value === undefined || (value === 1 && inputsOf(operation, role).length === 0)) return {};
    return this.input(operation, role, float32([1], [value]), role);
  }
}

async function last(parts: AsyncIterable<Step>): Promise<Step> {
  let latest: Step | undefined;
  for await (const part of parts) latest = part;
  return latest!; // every step has a last part
}

/** The caller's name for what feeds a port. */
function fieldOf({ role, name }: Port): string {
  if (role === 'latent' || role === 'codes') return `latents.${name}`;
  return role === 'noise' || role === 'state' || role === 'count' ? name : role;
}

/** Rows of a caller's tensor: at least one. */
export function rowsOf({ shape }: Tensor, field: string): number {
  const rows = shape[0] ?? 0;
  if (rows < 1) throw invalid(field, `must hold at least one row, had shape [${shape}]`);
  return rows;
}

/** The output of this role; a bundle without it is at fault. */
export function outputOf(operation: Operation, role: string): Port {
  const port = operation.outputs.find(output => output.role === role);
  if (port) return port;
  throw new GenserveError('BUNDLE_INVALID', `operation ${operation.name} has no output of role ${role}`);
}

/** All parts as one. */
export async function collect(stream: AsyncIterable<Samples>): Promise<Samples> {
  const parts: Samples[] = [];
  for await (const part of stream) parts.push(part);
  const [first] = parts;
  return {
    ...first!, // a call has at least one row, and so one part
    data: concatenate(parts.map(part => part.data)),
    ...(first!.labels && { labels: parts.flatMap(part => part.labels ?? []) }),
  };
}
