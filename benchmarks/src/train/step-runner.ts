// Runs a fixture's training step on our compiled engine, for the benchmark and the profiler.

import type { Tensors } from '@genserve/runtime';
import { type CompiledStage, compiledEngine, initialState, prepareRun, type State } from '@genserve/trainer';
import { readBatches, readRecord } from './fixture.js';

/** Schedules have run out by then: coefficients such as the weight of a KL term are at their last value. */
const SETTLED = 1_000_000;

export interface StepRunnerOptions {
  readonly threads: number;
  /** Prefix of the profile that onnxruntime writes. */
  readonly profile?: string | undefined;
}

export interface StepResult {
  /** Time that passed, and time of all threads together. */
  readonly milliseconds: number;
  readonly cpuMilliseconds: number;
  /** Of each update, before it. */
  readonly losses: readonly number[];
}

export class StepRunner {
  #done = 0;

  private constructor(
    readonly stage: CompiledStage,
    private readonly state: State,
    private readonly batches: readonly Tensors[],
    private readonly learningRate: number,
  ) {}

  static async create(folder: string, { threads, profile }: StepRunnerOptions): Promise<StepRunner> {
    const record = await readRecord(folder);
    const engine = compiledEngine({ threads, ...(profile !== undefined && { profile }) });
    const { stages, stateVariables } = await prepareRun(record, engine);
    const state = initialState(stateVariables, record.seed);
    return new StepRunner(stages[0]!, state, await readBatches(folder), record.training.optimiser.learningRate);
  }

  /** One update of every optimiser in turn. */
  async step(): Promise<StepResult> {
    const batch = this.batches[this.#done % this.batches.length]!;
    this.#done++;
    const losses: number[] = [];
    const cpuStart = process.cpuUsage();
    const start = performance.now();
    for (const { program, executable } of this.stage.steps) {
      const scalars = program.scalars(this.#done, SETTLED, this.learningRate);
      const fed = program.program.inputs.map(({ name }) => [name, scalars[name] ?? batch[name]!]);
      const { loss } = await executable.run(Object.fromEntries(fed), this.state);
      losses.push(loss!.data[0]!);
    }
    const milliseconds = performance.now() - start;
    const { user, system } = process.cpuUsage(cpuStart);
    return { milliseconds, cpuMilliseconds: (user + system) / 1000, losses };
  }

  async close(): Promise<void> {
    for (const { executable } of this.stage.steps) await executable.close();
  }
}
