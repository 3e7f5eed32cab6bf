// One training step, or several in one run of the engine: fed, executed, and undone where something was not finite.
import type { Tensor, Tensors } from '@genserve/runtime';
import type { Batch } from '../data/batches.js';
import type { Executable } from '../engine/engine.js';
import type { Program, State } from '../engine/program.js';
import { dataShape, stepFeeds } from './feeds.js';
import { repeated } from './repeat.js';
import type { CompiledStage, CompiledStep } from './run.js';
import type { RunRecord } from './run-folder.js';
import { optimiserOf } from './settings.js';

/** A training step to take. */
export interface Turn {
  readonly batch: Batch;
  /** Counted from the first of the stage. */
  readonly stageStep: number;
  /** Share of the full learning rate. */
  readonly schedule: number;
}

/** What a training step gave. */
export interface Outcome {
  readonly metrics: Readonly<Record<string, number>>;
  /** What was not finite, and where that began, for people; the update was undone. */
  readonly nonFinite?: string;
}

export interface BlockContext {
  readonly record: Pick<RunRecord, 'domain' | 'training' | 'seed'>;
  readonly stage: CompiledStage;
  /** Updates that each optimiser has applied, by the name of its step: changed here. */
  readonly updates: Record<string, number>;
  /** Whether to look for where numbers stopped being finite, which takes seconds. */
  readonly diagnose: boolean;
}

/** Takes the turns: together where the stage was compiled for so many, else one by one. Changes `state`. */
export async function runBlock(state: State, turns: readonly Turn[], context: BlockContext): Promise<Outcome[]> {
  const { stage, updates } = context;
  if (stage.together && turns.length === stage.together.count) {
    const before = new Map(state);
    const outcomes = await runTogether(state, turns, stage.together.executable, context);
    if (outcomes.every(({ metrics }) => firstWrong(metrics) === undefined)) {
      for (const { spec } of stage.steps)
        updates[spec.name] = (updates[spec.name] ?? 0) + turns.length * (spec.repeats ?? 1);
      return outcomes;
    }
    putBack(before, state);
  }
  const outcomes: Outcome[] = [];
  for (const turn of turns) outcomes.push(await runTurn(state, turn, context));
  return outcomes;
}

async function runTurn(state: State, turn: Turn, context: BlockContext): Promise<Outcome> {
  const { stage, updates, diagnose } = context;
  const metrics: Record<string, number> = {};
  let nonFinite: string | undefined;
  for (const step of stage.steps) {
    const { spec, executable } = step;
    if (turn.stageStep % (spec.every ?? 1) !== 0) continue;
    const done = updates[spec.name] ?? 0;
    const before = new Map(state);
    const feeds = feedsOf(step, turn, done, context);
    const outputs = await executable.run(feeds, state);
    const values = Object.entries(outputs).map(
      ([name, { data }]) => [metricName(stage, step, name), data[0]!] as const,
    );
    Object.assign(metrics, Object.fromEntries(values));
    const wrong = firstWrong(Object.fromEntries(values));
    if (wrong === undefined) updates[spec.name] = done + (spec.repeats ?? 1);
    else {
      putBack(before, state);
      const origin = diagnose ? await executable.firstNonFinite?.(feeds, state) : undefined;
      nonFinite ??= origin === undefined ? wrong : `${wrong} (first: ${origin})`;
    }
  }
  return { metrics, ...(nonFinite !== undefined && { nonFinite }) };
}

async function runTogether(
  state: State,
  turns: readonly Turn[],
  executable: Executable,
  context: BlockContext,
): Promise<Outcome[]> {
  const { stage, updates } = context;
  const rows = turns.map((turn, index) =>
    Object.fromEntries(
      stage.steps.flatMap(step => {
        const done = (updates[step.spec.name] ?? 0) + index * (step.spec.repeats ?? 1);
        const feeds = feedsOf(step, turn, done, context);
        return Object.entries(feeds).map(([name, feed]) => [joinedName(step, name), feed] as const);
      }),
    ),
  );
  const outputs = await executable.run(stack(rows), state);
  return turns.map((_, index) => ({
    metrics: Object.fromEntries(
      stage.steps.flatMap(step =>
        Object.entries(outputs)
          .filter(([name]) => name.startsWith(joinedName(step, '')))
          .map(([name, { data }]) => [metricName(stage, step, name.slice(joinedName(step, '').length)), data[index]!]),
      ),
    ),
  }));
}

/** The steps of a stage one after the other, `count` times in one run. */
export function togetherProgram(
  steps: readonly Pick<CompiledStep, 'spec' | 'program'>[],
  count: number,
  batch: number,
): Program {
  const programs = steps.map(step => ({ step, program: step.program.program }));
  const joined: Program = {
    name: steps.map(({ spec }) => spec.name).join('-'),
    inputs: programs.flatMap(({ step, program }) =>
      program.inputs.map(input => ({ ...input, name: joinedName(step, input.name) })),
    ),
    state: [...new Set(programs.flatMap(({ program }) => program.state))],
    run: fed =>
      Object.fromEntries(
        programs.flatMap(({ step, program }) => {
          const inputs = program.inputs.map(({ name }) => [name, fed[joinedName(step, name)]!] as const);
          const outputs = program.run(Object.fromEntries(inputs));
          return Object.entries(outputs).map(([name, tensor]) => [joinedName(step, name), tensor] as const);
        }),
      ),
  };
  return repeated(joined, count, batch);
}

const joinedName = ({ spec }: Pick<CompiledStep, 'spec'>, name: string) => `${spec.name}:${name}`;

const metricName = (stage: CompiledStage, { spec }: CompiledStep, name: string) =>
  stage.steps.length > 1 ? `${spec.name}/${name}` : name;

function feedsOf({ spec, program }: CompiledStep, turn: Turn, done: number, { record }: BlockContext): Tensors {
  const { training, domain, seed } = record;
  const { learningRate } = optimiserOf(training, spec.name);
  return {
    ...stepFeeds(spec, turn.batch, dataShape(domain), seed, training.batch),
    ...program.scalars(done + 1, turn.stageStep, learningRate * turn.schedule),
  };
}

/** Tensors of one shape by name -> [rows, ...shape]. */
function stack(rows: readonly Tensors[]): Tensors {
  return Object.fromEntries(
    Object.entries(rows[0]!).map(([name, { dtype, shape, data }]): [string, Tensor] => {
      const parts = rows.map(row => row[name]!);
      const stacked = { shape: [rows.length, ...shape] };
      if (dtype === 'int32')
        return [name, { dtype, ...stacked, data: Int32Array.from(parts.flatMap(p => [...p.data])) }];
      const values = new Float32Array(rows.length * data.length);
      for (const [index, part] of parts.entries()) values.set(part.data, index * data.length);
      return [name, { dtype, ...stacked, data: values }];
    }),
  );
}

const firstWrong = (metrics: Readonly<Record<string, number>>) =>
  Object.keys(metrics).find(name => !Number.isFinite(metrics[name]));

/** Engines put new arrays in the state and leave the old ones alone: an update is undone by putting them back. */
function putBack(before: State, state: State): void {
  for (const [name, value] of before) state.set(name, value);
}
