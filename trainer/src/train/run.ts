// A run taken up: the model built, its steps compiled, its data at hand.
import type { Domain } from '@genserve/runtime';
import type { Engine, Executable } from '../engine/engine.js';
import { familyNamed } from '../families/registry.js';
import type { Family, Model, StepSpec } from '../family.js';
import { Scope, type Variable } from '../nn/variable.js';
import { parseSettings } from '../parse-settings.js';
import { dataShape } from './feeds.js';
import type { RunRecord } from './run-folder.js';
import { type StepProgram, stepProgram } from './step-program.js';

export interface BuiltModel {
  readonly family: Family;
  readonly model: Model;
  /** Of the networks; optimisers and averages are not among them. */
  readonly variables: readonly Variable[];
}

/** Builds the model of a record; throws CONFIGURATION_INVALID with the field where the configuration is wrong. */
export function buildModel(
  record: Pick<RunRecord, 'family' | 'configuration' | 'domain'>,
  family = familyNamed(record.family),
): BuiltModel {
  const scope = new Scope();
  const model = family.build(parseConfiguration(family, record.configuration), record.domain, scope);
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
  readonly steps: readonly CompiledStep[];
}

export interface PreparedRun extends BuiltModel {
  readonly stages: readonly CompiledStage[];
  /** All that a checkpoint holds. */
  readonly stateVariables: readonly Variable[];
}

/** Builds the model of a record and compiles its steps. */
export async function prepareRun(
  record: Pick<RunRecord, 'family' | 'configuration' | 'domain' | 'training'>,
  engine: Engine,
  family?: Family,
): Promise<PreparedRun> {
  const built = buildModel(record, family);
  const { model, variables } = built;
  const stateVariables = new Map<string, Variable>();
  const stages: CompiledStage[] = [];
  for (const { name, steps } of model.stages) {
    const compiled: CompiledStep[] = [];
    for (const spec of steps) {
      const program = stepProgram(spec, variables, dataShape(record.domain), record.training);
      for (const variable of program.program.state) stateVariables.set(variable.name, variable);
      compiled.push({ spec, program, executable: await engine.compile(program.program, record.training.batch) });
    }
    stages.push({ name, steps: compiled });
  }
  return { ...built, stages, stateVariables: [...stateVariables.values()] };
}

/** The domain of a model: the family's view of the data's. */
export function modelDomain(family: Family, configuration: unknown, domain: Domain): Domain {
  return family.domain?.(configuration, domain) ?? domain;
}
