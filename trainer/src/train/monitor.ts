// Looks at a run from outside while it trains: held-out figures and a sheet of samples or translations, with averaged
// parameters.
import { join } from 'node:path';
import { type Domain, fillNoise, float32, labelAt, type Tensor, type Tensors } from '@genserve/runtime';
import { rowsInOrder } from '../data/batches.js';
import type { Dataset, Rows } from '../data/dataset.js';
import type { Engine, Executable } from '../engine/engine.js';
import type { Program, State } from '../engine/program.js';
import type { Judge } from '../evaluate/samples/judge.js';
import { atByteLevels } from '../evaluate/samples/pictures.js';
import { SampleCurve } from '../evaluate/samples/sample-curve.js';
import { operationProgram, portShape } from '../export/operation-program.js';
import { interleave, writeSheet } from '../export/sheet.js';
import type { Model, OperationSpec, PortSpec, ValidationSpec } from '../family.js';
import type { Variable } from '../nn/variable.js';
import { averagedState } from '../optim/average.js';
import { dataShape, stepFeeds } from './feeds.js';
import type { BuiltModel } from './run.js';
import { type RunRecord, runPaths } from './run-folder.js';
import { batchInputs, readBatch, updatesOf } from './step-program.js';

const SHEET_SIDE = 8;
/** Lines of a sheet of translations: each takes three of the sheet, input, output and truth. */
const TRANSLATED_LINES = 3;
const EVALUATION_BATCH = 100;

/** Of `count` rows those that an evaluation looks at: it is compiled for one size of batch. */
export const wholeBatches = (count: number): number => count - (count % (Math.min(EVALUATION_BATCH, count) || 1));

/** Index of the first sample that is judged. Figures of a bundle are of the first samples of all: nothing was chosen by them. */
const JUDGED_FROM = 2 ** 31;
/** Name of the program and of its noises' streams. */
const VALIDATION = 'validation';

interface Compiled {
  readonly operation: OperationSpec;
  readonly executable: Executable;
  readonly batch: number;
}

export class Monitor {
  private constructor(
    private readonly record: RunRecord,
    private readonly dataset: Dataset,
    private readonly sample: Compiled | undefined,
    private readonly translate: Compiled | undefined,
    private readonly logProb: Compiled | undefined,
    private readonly validation: Executable | undefined,
    private readonly curve: SampleCurve | undefined,
    private readonly model: Model,
  ) {}

  static async create(
    record: RunRecord,
    dataset: Dataset,
    { model, variables }: BuiltModel,
    engine: Engine,
    judge?: Judge,
  ): Promise<Monitor> {
    const compile = async (name: string, batch: number): Promise<Compiled | undefined> => {
      const operation = model.operations.find(candidate => candidate.name === name);
      if (!operation) return undefined;
      return { operation, batch, executable: await engine.compile(operationProgram(operation, variables), batch) };
    };
    const sample = record.domain.image ? await compile('sample', SHEET_SIDE ** 2) : undefined;
    const translate = record.target?.image && (await compile('translate', TRANSLATED_LINES * SHEET_SIDE));
    const rows = Math.min(record.training.evaluationRows, dataset.calibration.count);
    const batch = Math.min(EVALUATION_BATCH, rows);
    const logProb = rows > 0 ? await compile('log_prob', batch) : undefined;
    const validation =
      rows > 0 && model.validation
        ? await engine.compile(validationProgram(model.validation, variables, record.domain), batch)
        : undefined;
    const { domain, training, seed } = record;
    const judging = judge && { judge, domain, count: training.evaluationRows, seed };
    const curve = judging && (await SampleCurve.create(dataset.calibration, judging));
    return new Monitor(record, dataset, sample, translate, logProb, validation, curve, model);
  }

  /**
   * Means over held-out rows, the same rows and noise each time: the negative log-likelihood in nats (of one draw, where
   * it is a bound), and the figures of the model's `validation`. And those of a `SampleCurve`, where there is a judge.
   */
  async evaluate(state: State): Promise<Record<string, number>> {
    const averaged = averagedState(state);
    const { seed, domain, training } = this.record;
    const { calibration } = this.dataset;
    const count = wholeBatches(Math.min(training.evaluationRows, calibration.count));
    const batch = Math.min(EVALUATION_BATCH, count);
    const sums: Record<string, number> = {};
    const add = (name: string, values: Iterable<number>, sign = 1) => {
      for (const value of values) sums[name] = (sums[name] ?? 0) + sign * value;
    };
    for (let first = 0; first < count && (this.logProb || this.validation); first += batch) {
      const rows = await rowsInOrder(calibration, domain, { first, count: batch, seed });
      if (this.logProb) {
        const { operation, executable } = this.logProb;
        const outputs = await executable.run(this.#feeds(operation, batch, first, rows), averaged);
        add('nll_nats', outputOf(operation, outputs, 'log_prob').data, -1);
      }
      if (this.validation && this.model.validation) {
        const step = { ...this.model.validation, name: VALIDATION };
        const feeds = stepFeeds(step, { ...rows, step: first / batch, epoch: 0 }, dataShape(domain), seed);
        for (const [name, { data }] of Object.entries(await this.validation.run(feeds, averaged))) add(name, data);
      }
    }
    const means = Object.entries(sums).map(([name, sum]) => [name, sum / count]);
    return { ...Object.fromEntries(means), ...(await this.#judged(averaged)) };
  }

  async #judged(averaged: State): Promise<Record<string, number>> {
    if (!this.curve || !this.sample) return {};
    const { operation, executable, batch } = this.sample;
    const { count } = this.curve;
    const parts: Float32Array[] = [];
    for (let first = 0; first < count; first += batch) {
      const place = { firstIndex: JUDGED_FROM + first, count: batch };
      const feeds = this.#feeds(operation, batch, place.firstIndex, this.#drawnLabels(place));
      const outputs = await executable.run(feeds, averaged);
      parts.push(atByteLevels(outputOf(operation, outputs, 'data')));
    }
    const width = parts[0]!.length / batch;
    const data = new Float32Array(count * width);
    parts.forEach((part, i) => {
      data.set(part.subarray(0, data.length - i * part.length), i * part.length);
    });
    return await this.curve.figures({ count, width, data });
  }

  /** Writes samples/step-<n>.png and returns its path; nothing for what has no pictures. */
  async sheet(folder: string, step: number, state: State): Promise<string | undefined> {
    const averaged = averagedState(state);
    const images = (await this.#samples(averaged)) ?? (await this.#translations(averaged));
    if (!images) return undefined;
    const path = join(runPaths(folder).samples, `step-${String(step).padStart(9, '0')}.png`);
    await writeSheet(path, images, SHEET_SIDE);
    return path;
  }

  async #samples(averaged: State): Promise<Tensor | undefined> {
    if (!this.sample) return undefined;
    const { operation, executable, batch } = this.sample;
    return outputOf(operation, await executable.run(this.#feeds(operation, batch, 0), averaged), 'data');
  }

  /** Held-out pictures, what they become, and what they should become; none where there are too few. */
  async #translations(averaged: State): Promise<Tensor | undefined> {
    const { record, translate, dataset } = this;
    if (!translate || dataset.calibration.count < translate.batch) return undefined;
    const { operation, executable, batch } = translate;
    const { seed, domain, target } = record;
    const rows = await rowsInOrder(dataset.calibration, domain, { first: 0, count: batch, seed });
    const made = outputOf(operation, await executable.run(this.#feeds(operation, batch, 0, rows), averaged), 'data');
    const given = float32([batch, ...dataShape(domain)], rows.data);
    const truth = float32([batch, ...dataShape(target!)], rows.target!); // pairs, as the record says
    return interleave([given, made, truth], SHEET_SIDE);
  }

  async close(): Promise<void> {
    await this.sample?.executable.close();
    await this.translate?.executable.close();
    await this.logProb?.executable.close();
    await this.validation?.close();
    await this.curve?.close();
  }

  get #classes(): number {
    return this.model.conditions.find(({ kind }) => kind === 'label')?.size ?? 0;
  }

  /** As often as the training data have them: independent of each other, as the measures take samples to be. */
  #drawnLabels(place: { readonly firstIndex: number; readonly count: number }): Pick<Rows, 'labels'> {
    const { frequencies } = this.dataset;
    if (frequencies.length === 0) return {};
    const { seed } = this.record;
    const uniform = fillNoise({ seed, name: 'label', distribution: 'uniform', shape: [1], ...place });
    return { labels: Int32Array.from(uniform, each => labelAt(frequencies, each)) };
  }

  #feeds(operation: OperationSpec, batch: number, firstIndex: number, rows?: Partial<Rows>): Tensors {
    const feed = (port: PortSpec): Tensor => {
      const shape = portShape(port).map(size => (size === 'batch' ? batch : size));
      const noise = this.model.noises.find(({ name }) => name === port.name);
      if (port.role === 'noise' && noise) {
        const values = fillNoise({ ...noise, seed: this.record.seed, firstIndex, count: batch });
        return { dtype: 'float32', shape, data: values };
      }
      if (port.role === 'data' && rows?.data) return { dtype: 'float32', shape, data: rows.data };
      if (port.role === 'label' && (rows?.labels || this.#classes > 0)) {
        // Samples show the classes in turn.
        const labels = rows?.labels ?? Int32Array.from({ length: batch }, (_, row) => row % this.#classes);
        return { dtype: 'int32', shape, data: labels };
      }
      if (port.role === 'vector' && rows?.vectors) return { dtype: 'float32', shape, data: rows.vectors };
      const size = shape.reduce((product, length) => product * length, 1);
      const value = port.default ?? 0;
      return port.dtype === 'int32'
        ? { dtype: 'int32', shape, data: new Int32Array(size).fill(value) }
        : { dtype: 'float32', shape, data: new Float32Array(size).fill(value) };
    };
    return Object.fromEntries(operation.inputs.map(port => [port.name, feed(port)]));
  }
}

function validationProgram(validation: ValidationSpec, variables: readonly Variable[], domain: Domain): Program {
  const step = { ...validation, name: VALIDATION };
  const [update] = updatesOf(step);
  return {
    name: VALIDATION,
    inputs: batchInputs(step, dataShape(domain)),
    state: variables,
    run: fed => validation.run(readBatch(update!, fed)), // a step that does not repeat has one update
  };
}

function outputOf(operation: OperationSpec, outputs: Tensors, role: string): Tensor {
  const port = operation.outputs.find(candidate => candidate.role === role);
  const tensor = port && outputs[port.name];
  if (!tensor) throw new Error(`operation ${operation.name} gives no ${role}`);
  return tensor;
}
