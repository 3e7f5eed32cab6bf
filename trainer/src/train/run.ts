// A run taken up: the model built, its steps compiled, its data at hand.
import { type Domain, GenserveError } from '@genserve/runtime';
import type { Engine, Executable } from '../engine/engine.js';
import { familyNamed } from '../families/registry.js';
import type { Family, Model, StepSpec } from '../family.js';
import { Scope, type Variable } from '../nn/variable.js';
import { parseSettings } from '../parse-settings.js';
import { togetherProgram } from './block.js';
import { dataShape } from './feeds.js';
import type { RunRecord } from './run-folder.js';
import type { TrainingSettings } from './settings.js';
import { type StepProgram, stepProgram } from './step-program.js';

export interface BuiltModel {
  readonly family: Family;
  readonly model: Model;
  /** Of the networks; optimisers and averages are not among them. */
  readonly variables: readonly Variable[];
}

/** Builds the model of a record; throws CONFIGURATION_INVALID with the field where the configuration is wrong. */
export function buildModel(
  record: Pick<RunRecord, 'family' | 'configuration' | 'domain' | 'target'>,
  family = familyNamed(record.family),
): BuiltModel {
  const scope = new Scope();
  const model = family.build(parseConfiguration(family, record.configuration), record.domain, scope, record.target);
  return { family, model, variables: scope.variables() };
}

/** A family's configuration, complete; an unknown key is an error. */
export function parseConfiguration(family: Family, configuration: unknown): unknown {
  return parseSettings(family.configuration, configuration, 'configuration');
}

/** One optimiser's part of a training step. */
export interface CompiledStep {
  readonly spec: StepSpec;
  readonly program: StepProgram;
  readonly executable: Executable;
}

export interface CompiledStage {
  readonly name: string;
  /** Shares of the budget between which it is trained. */
  readonly from: number;
  readonly until: number;
  readonly steps: readonly CompiledStep[];
  /** `count` training steps in one run; absent where they are taken one by one. */
  readonly together?: { readonly count: number; readonly executable: Executable };
}

export interface PreparedRun extends BuiltModel {
  readonly stages: readonly CompiledStage[];
  /** All that a checkpoint holds. */
  readonly stateVariables: readonly Variable[];
  /** Rows of data that one training step takes. */
  readonly rowsPerStep: number;
}

/** Builds the model of a record and compiles its steps. */
export async function prepareRun(
  record: Pick<RunRecord, 'family' | 'configuration' | 'domain' | 'target' | 'training'>,
  engine: Engine,
  family?: Family,
): Promise<PreparedRun> {
  const built = buildModel(record, family);
  const { model, variables } = built;
  const { training } = record;
  checkSteps(model, training);
  const stateVariables = new Map<string, Variable>();
  const stages: CompiledStage[] = [];
  for (const [index, { name, steps, until = (index + 1) / model.stages.length }] of model.stages.entries()) {
    const compiled: CompiledStep[] = [];
    for (const spec of steps) {
      const program = stepProgram(spec, variables, dataShape(record.domain), training);
      for (const variable of program.program.state) stateVariables.set(variable.name, variable);
      compiled.push({ spec, program, executable: await engine.compile(program.program, training.batch) });
    }
    const together = await compileTogether(compiled, training, engine);
    stages.push({ name, from: stages.at(-1)?.until ?? 0, until, steps: compiled, ...(together && { together }) });
  }
  const repeats = model.stages.flatMap(({ steps }) => steps.map(step => step.repeats ?? 1));
  return {
    ...built,
    stages,
    stateVariables: [...stateVariables.values()],
    rowsPerStep: training.batch * Math.max(...repeats),
  };
}

async function compileTogether(
  steps: readonly CompiledStep[],
  { stepsPerRun: count, batch }: TrainingSettings,
  engine: Engine,
): Promise<CompiledStage['together']> {
  if (count === 1) return undefined;
  const rare = steps.find(({ spec }) => (spec.every ?? 1) > 1);
  if (rare) {
    const field = 'training.stepsPerRun';
    const why = `must be 1: ${rare.spec.name} is updated in every ${rare.spec.every}th step only`;
    throw new GenserveError('CONFIGURATION_INVALID', `${field}: ${why}`, { field });
  }
  return { count, executable: await engine.compile(togetherProgram(steps, count, batch), batch) };
}

/** Throws CONFIGURATION_INVALID where `training.optimisers` names a step that the model does not have. */
export function checkSteps({ stages }: Model, { optimisers }: TrainingSettings): void {
  const names = stages.flatMap(({ steps }) => steps.map(({ name }) => name));
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) throw new Error(`two steps of the model are named ${twice}`);
  const unknown = Object.keys(optimisers).find(name => !names.includes(name));
  if (unknown === undefined) return;
  const field = `training.optimisers.${unknown}`;
  throw new GenserveError('CONFIGURATION_INVALID', `${field}: there is no such step; there are ${names.join(', ')}`, {
    field,
  });
}

/** The domain of a model: the family's view of the data's. */
export function modelDomain(family: Family, configuration: unknown, domain: Domain): Domain {
  return family.domain?.(configuration, domain) ?? domain;
}
