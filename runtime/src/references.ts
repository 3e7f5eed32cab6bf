// What one field of a manifest says about another: files that are listed, noises and operations that exist, shapes that agree.
import type { Manifest, Noise, Operation, Port } from '@genserve/proto/manifest';
import { wrong } from './check.js';
import { domainShape, domainSize, inputsOf } from './manifest.js';

/** Throws BUNDLE_INVALID with the path of the field. */
export function checkReferences(manifest: Manifest): void {
  const kinds = Object.values(manifest.domain ?? {}).filter(kind => kind !== undefined);
  if (kinds.length !== 1) throw wrong('domain', 'must be exactly one of image, audio, text, vector, video');
  if (domainSize(manifest.domain) === 0) throw wrong('domain', 'must have at least one dimension');
  const files = unique(manifest.files, 'files', file => file.path);
  const operations = unique(manifest.operations, 'operations', operation => operation.name);
  const noises = unique(manifest.noises, 'noises', noise => noise.name);
  unique(manifest.scores, 'scores', score => score.name);
  unique(manifest.conditions, 'conditions', condition => condition.kind);
  const listed = (file: string, field: string) => {
    if (!files.has(file)) throw wrong(field, `${file} is not among files`);
  };
  const known = (operation: string, field: string) => {
    const found = operations.get(operation);
    if (!found) throw wrong(field, `the bundle has no operation ${operation}`);
    return found;
  };

  each(manifest.conditions, 'conditions', ({ kind, size, frequencies }, field) => {
    if (kind !== 'label' || frequencies.length === 0) return;
    const isShares = frequencies.every(share => share >= 0) && frequencies.some(share => share > 0);
    if (frequencies.length !== size || !isShares)
      throw wrong(`${field}.frequencies`, `must be one share, 0 or more, for each of the ${size} labels`);
  });
  each(manifest.operations, 'operations', (operation, field) => {
    listed(operation.file, `${field}.file`);
    if (operation.members.length > 0 && inputsOf(operation, 'label').length === 0)
      throw wrong(`${field}.members`, 'need an input of role label');
    each(operation.members, `${field}.members`, ({ file }, place) => listed(file, `${place}.file`));
    for (const side of ['inputs', 'outputs'] as const) {
      unique(operation[side], `${field}.${side}`, port => port.name);
      each(operation[side], `${field}.${side}`, (port, place) => checkPort(port, place, operation, manifest, noises));
    }
    const states = (ports: readonly Port[]) =>
      ports.filter(({ role }) => role === 'state').map(({ dtype, shape }) => `${dtype} [${shape}]`);
    if (states(operation.inputs).join() !== states(operation.outputs).join())
      throw wrong(`${field}.outputs`, 'must give one state for each state input, in order');
    if (operation.outputs.length === 0) throw wrong(`${field}.outputs`, 'must have at least one output');
    for (const { folder } of manifest.variants) listed(`${folder}/${operation.file}`, 'variants');
  });
  if (manifest.likelihood?.kind !== 'none') {
    if (!manifest.likelihood?.dimensions) throw wrong('likelihood.dimensions', 'must be 1 or more');
    known('log_prob', 'likelihood.kind');
  }
  each(manifest.scores, 'scores', (score, field, index) => {
    each(score.operations, `${field}.operations`, known);
    if (score.usesLabel && score.operations.every(name => inputsOf(known(name, field), 'label').length === 0))
      throw wrong(`${field}.operations`, 'need an input of role label');
    each(score.tables, `${field}.tables`, listed);
    if (score.calibration) listed(score.calibration.table, `${field}.calibration.table`);
    const classes = score.calibration?.classes ?? [];
    each(classes, `${field}.calibration.classes`, ({ table }, place) => listed(table, `${place}.table`));
    each(score.statistics, `${field}.statistics`, (statistic, place) => {
      const at = manifest.scores.findIndex(({ name }) => name === statistic);
      // Earlier ones alone, so that none can weigh itself.
      if (at < 0 || at >= index) throw wrong(place, `${statistic} is no score before it`);
    });
  });
  if (manifest.scores.filter(score => score.recommended).length > 1)
    throw wrong('scores', 'at most one may be recommended');
  each(manifest.golden, 'golden', (golden, field) => {
    const { outputs } = known(golden.operation, `${field}.operation`);
    if (!outputs.some(port => port.name === golden.output))
      throw wrong(`${field}.output`, `${golden.operation} has no output ${golden.output}`);
  });
}

function checkPort(
  port: Port,
  field: string,
  operation: Operation,
  manifest: Manifest,
  noises: Map<string, Noise>,
): void {
  const { role, dtype } = port;
  const must = (shape: readonly number[], why: string) => {
    if (port.shape.join() !== shape.join())
      throw wrong(`${field}.shape`, `must be [${shape}] ${why}, was [${port.shape}]`);
  };
  if (port.shape.includes(0, 1)) throw wrong(`${field}.shape`, 'only dimension 0 may be 0 (the batch)');
  if (role !== 'count' && port.shape[0] !== 0) throw wrong(`${field}.shape`, 'must begin with 0 (the batch)');
  if (role === 'count') must([], 'for a count');
  if (role === 'count' && port.default === undefined)
    throw wrong(`${field}.default`, 'must be given for a count: a run without it is a whole one');
  if (dtype === 'float32' && (role === 'count' || role === 'label'))
    throw wrong(`${field}.dtype`, `must be int32 for a ${role}`);
  if (dtype === 'int32' && !['count', 'label', 'codes', 'text', 'data', 'state'].includes(role))
    throw wrong(`${field}.dtype`, `must be float32 for a ${role}`);
  if (['label', 'temperature', 'truncation', 'log_prob'].includes(role)) must([0], `for a ${role}`);
  if (role === 'noise') {
    const noise = noises.get(port.name);
    if (!noise) throw wrong(`${field}.name`, `${port.name} is not among noises`);
    must([0, ...noise.shape], 'as its noise states');
  }
  if (role === 'data' && !operation.name.startsWith('translate'))
    must([0, ...domainShape(manifest.domain)], 'as the domain states');
  if (['label', 'vector', 'attributes'].includes(role) && !manifest.conditions.some(({ kind }) => kind === role))
    throw wrong(field, `conditions state no ${role}`);
}

/** Calls `check` with each item and its place, e.g. "operations[2]". */
function each<T>(items: readonly T[], field: string, check: (item: T, place: string, index: number) => void): void {
  items.forEach((item, index) => {
    check(item, `${field}[${index}]`, index);
  });
}

function unique<T>(items: readonly T[], field: string, keyOf: (item: T) => string): Map<string, T> {
  const found = new Map<string, T>();
  each(items, field, (item, place) => {
    const key = keyOf(item);
    if (found.has(key)) throw wrong(place, `${key} is there twice`);
    found.set(key, item);
  });
  return found;
}
