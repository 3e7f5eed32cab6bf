// A family's steps run a few rounds without a run folder, by whichever engine. For tests of families with several networks.
import { type Domain, fillNoise, type Tensors } from '@genserve/runtime';
import { compiledEngine } from '../engine/compiled.js';
import { eagerEngine } from '../engine/eager.js';
import type { Engine } from '../engine/engine.js';
import type { State } from '../engine/program.js';
import type { Family } from '../family.js';
import { Scope } from '../nn/variable.js';
import { dataShape, stepFeeds } from '../train/feeds.js';
import { initialState } from '../train/initial-state.js';
import { prepareRun } from '../train/run.js';
import { trainingSettings } from '../train/settings.js';

export interface RoundOptions<Configuration> {
  readonly family: Family<Configuration>;
  readonly settings: object;
  readonly domain: Domain;
  /** Of what rows are paired with: noise as well. */
  readonly target?: Domain;
  readonly batch: number;
  readonly training?: object;
}

/** States by the name of the step that they come after ("start" before the first), and each step's losses. */
export interface Rounds {
  readonly states: readonly { readonly after: string; readonly state: State }[];
  readonly outputs: readonly { readonly step: string; readonly values: Tensors }[];
}

/** Runs all steps of the first stage in turn, `rounds` times, on noise for data and on labels 0, 1, 2, ... */
export async function runRounds<Configuration>(
  { family, settings, domain, target, batch, training = {} }: RoundOptions<Configuration>,
  engine: Engine,
  rounds: number,
): Promise<Rounds> {
  const opaque = family as unknown as Family; // opaque in its configuration where it is used
  const configuration = family.configuration.parse(settings);
  const parsed = trainingSettings.parse({ ...family.training, parameterAverage: 0, ...training, batch });
  const record = { family: family.name, configuration, domain, ...(target && { target }), training: parsed };
  const run = await prepareRun(record, engine, opaque);
  const state = initialState(run.stateVariables, 3);
  const shape = dataShape(domain);
  const copy = () => new Map([...state].map(([name, values]) => [name, Float32Array.from(values)]));
  const states = [{ after: 'start', state: copy() }];
  const outputs: { step: string; values: Tensors }[] = [];
  const classes = Math.max(1, domain.image?.labels.length ?? 1);
  for (let round = 0; round < rounds; round++) {
    const noise = (name: string, row: readonly number[]) =>
      fillNoise({ seed: 5, name, distribution: 'uniform', shape: row, count: run.rowsPerStep, draw: round });
    const labels = Int32Array.from({ length: run.rowsPerStep }, (_, row) => row % classes);
    const paired = target && { target: noise('target', dataShape(target)) };
    const rows = { step: round, epoch: 0, data: noise('data', shape), ...paired, labels };
    for (const { spec, program, executable } of run.stages[0]!.steps) {
      const scalars = program.scalars(round * (spec.repeats ?? 1) + 1, round, parsed.optimiser.learningRate);
      const values = await executable.run({ ...stepFeeds(spec, rows, shape, 5, batch), ...scalars }, state);
      states.push({ after: spec.name, state: copy() });
      outputs.push({ step: spec.name, values });
    }
  }
  for (const { steps } of run.stages) for (const { executable } of steps) await executable.close();
  return { states, outputs };
}

/** Greatest difference of the compiled from the eager state after some rounds, relative to each variable's magnitude. */
export async function compiledAgainstEager<Configuration>(
  options: RoundOptions<Configuration>,
  rounds: number,
): Promise<{ readonly variable: string; readonly difference: number }> {
  const [compiled, eager] = [
    await runRounds(options, compiledEngine({ threads: 1 }), rounds),
    await runRounds(options, eagerEngine(), rounds),
  ];
  let worst = { variable: '', difference: 0 };
  const last = compiled.states.at(-1)!.state;
  for (const [variable, values] of eager.states.at(-1)!.state) {
    const magnitude = Math.max(1e-3, ...values.map(Math.abs));
    const apart = Math.max(...values.map((value, i) => Math.abs(value - last.get(variable)![i]!)));
    if (!(apart / magnitude <= worst.difference)) worst = { variable, difference: apart / magnitude };
  }
  return worst;
}

/** Number of parameters of a family on a domain, by network (the first part of the variables' names). */
export function parameterCounts<Configuration>(
  family: Family<Configuration>,
  settings: object,
  domain: Domain,
  target?: Domain,
): Record<string, number> {
  const scope = new Scope();
  family.build(family.configuration.parse(settings), domain, scope, target);
  const counts: Record<string, number> = {};
  for (const { name, shape, trainable } of scope.variables()) {
    const network = name.split('/')[0]!;
    const count = trainable ? shape.reduce((product, length) => product * length, 1) : 0;
    counts[network] = (counts[network] ?? 0) + count;
  }
  return counts;
}
