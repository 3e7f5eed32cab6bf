// Further members of an ensemble: the same model, trained from other seeds. A bundle holds their likelihoods beside its
// own, for the score WAIC (Choi et al. 2018, "WAIC, but why?").
import { isDeepStrictEqual } from 'node:util';
import { GenserveError, invalid } from '@genserve/runtime';
import type { State } from '../engine/program.js';
import type { Family, OperationSpec } from '../family.js';
import { Scope, type Variable } from '../nn/variable.js';
import { averagedState } from '../optim/average.js';
import { latestCheckpoint } from '../train/checkpoint.js';
import { parseConfiguration } from '../train/run.js';
import { type RunRecord, readRunRecord, runPaths } from '../train/run-folder.js';

/** Most models of an ensemble, the bundle's own among them (contract, section 8). */
const MOST_MODELS = 5;

export interface Member {
  /** Its likelihood: `log_prob.2` for the second model of the ensemble. */
  readonly operation: OperationSpec;
  readonly variables: readonly Variable[];
  /** Values of its variables, averaged where training averages them. */
  readonly state: State;
  readonly seed: number;
  readonly steps: number;
}

/** The models of `runs` beside that of `first`. Throws INVALID_ARGUMENT (ensemble) where one does not fit. */
export async function readMembers(first: RunRecord, family: Family, runs: readonly string[]): Promise<Member[]> {
  if (runs.length >= MOST_MODELS)
    throw invalid('ensemble', `has ${runs.length + 1} models, its first among them; ${MOST_MODELS} are the most`);
  const records = [first];
  const members: Member[] = [];
  for (const run of runs) {
    const record = await readRunRecord(run);
    for (const other of records) checkFit(other, record, run);
    records.push(record);
    const checkpoint = await latestCheckpoint(runPaths(run).checkpoints);
    if (!checkpoint) throw invalid('ensemble', `${run} has no whole checkpoint yet`);
    const number = records.length;
    const network = `member${number}`;
    const { logProb, variables } = buildLikelihood(family, record, network);
    members.push({
      operation: { ...logProb, name: `log_prob.${number}` },
      variables,
      state: renamed(averagedState(checkpoint.state), network),
      seed: record.seed,
      steps: checkpoint.position.step,
    });
  }
  return members;
}

/** The likelihood of a model whose variables are below `network`, so that their names are no other member's. */
function buildLikelihood(
  family: Family,
  { configuration, domain, target }: RunRecord,
  network: string,
): { logProb: OperationSpec; variables: readonly Variable[] } {
  const scope = new Scope().child(network);
  const { operations } = family.build(parseConfiguration(family, configuration), domain, scope, target);
  const logProb = operations.find(({ name }) => name === 'log_prob');
  if (!logProb)
    throw new GenserveError('OPERATION_UNSUPPORTED', `ensemble: ${family.name} has no likelihood to compare`, {
      field: 'ensemble',
    });
  return { logProb, variables: scope.variables() };
}

function renamed(state: State, network: string): State {
  return new Map([...state].map(([name, values]) => [`${network}/${name}`, values]));
}

/** Members differ in their seeds, and in nothing else but how long they were trained. */
function checkFit(first: RunRecord, second: RunRecord, run: string): void {
  const [ours, theirs] = [factsOf(first), factsOf(second)];
  const name = Object.keys({ ...ours, ...theirs }).find(name => !isDeepStrictEqual(ours[name], theirs[name]));
  if (name !== undefined) {
    const [expected, found] = [ours, theirs].map(facts => JSON.stringify(facts[name]) ?? 'absent');
    throw invalid('ensemble', `${run} does not fit ${first.id}: ${name} is ${found}, not ${expected}`);
  }
  if (first.seed === second.seed)
    throw invalid('ensemble', `${run} has the seed of ${first.id}, ${first.seed}: they are one model, not two`);
}

/** What members must have in common. Data, as rows that calibrate the score must be held out of all members. */
function factsOf({ family, data, domain, configuration }: RunRecord): Readonly<Record<string, unknown>> {
  const settings = Object.entries(configuration as object).map(([name, value]) => [`configuration.${name}`, value]); // by its schema
  return {
    family,
    data: data.name,
    'data.sha256': data.sha256,
    'data.split': data.split,
    domain,
    ...Object.fromEntries(settings),
  };
}
