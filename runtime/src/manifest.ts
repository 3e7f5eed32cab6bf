// The manifest of a bundle: strict reading, and what others ask of it. Types come from proto/; the generated reader is
// not used, because it guesses (a missing string becomes '', a word becomes NaN) and is larger than this one.
import type {
  Condition,
  Domain,
  Golden,
  Likelihood,
  Manifest,
  Noise,
  Operation,
  Port,
  Score,
} from '@genserve/proto/manifest';
import { type Check, flag, integer, list, number, object, oneOf, optional, record, text, wrong } from './check.js';
import { GenserveError } from './errors.js';
import { SCORES } from './scores.js';

export type {
  AudioDomain,
  Condition,
  Domain,
  File,
  Golden,
  ImageDomain,
  Likelihood,
  Manifest,
  Noise,
  Operation,
  Port,
  Score,
  TextDomain,
  VectorDomain,
  VideoDomain,
} from '@genserve/proto/manifest';

/** The newest bundle layout that this reader knows. */
export const FORMAT = 1;

const ROLES =
  'data latent codes label vector attributes text style strength mask noise temperature truncation count state log_prob map logits score features';
const OPERATIONS =
  'sample decode encode reconstruct complete translate translate_back log_prob log_prob_map critic classify features background_log_prob';

const words = (line: string) => oneOf(line.split(' '));
const required = text(/./, 'given');
const name = text(/^[a-z0-9-]{1,63}$/, '1 to 63 of a-z, 0-9 and -');
const portName = text(/^[A-Za-z][\w./-]{0,127}$/, 'a letter followed by letters, digits and _ . / -');
/** Relative, with / between parts, of which none is empty, "." or ".."; never out of the bundle's folder. */
const path = text(
  /^(?!.*(^|\/)\.{0,2}(\/|$))[^\\:\p{Cc}]{1,255}$/u,
  'a relative path inside the bundle, without .. or \\',
);
const count = integer(0);
const positive = integer(1);
const shape = list(positive);
const channels: Check<number> = (value, field) => {
  if (value !== 1 && value !== 3) throw wrong(field, `must be 1 (grey) or 3 (red, green, blue), was ${value}`);
  return value;
};

/** Dimension 0 may be 0: the batch. */
const portShape = (value: unknown, field: string) => list(integer(0))(value, field);

const image = object({
  height: positive,
  width: positive,
  channels,
  levels: count,
  binarisation: text(/^(none|dynamic|threshold|static)?$/, 'none, dynamic, threshold or static'),
  polarity: text(/^((light-on-dark)|(dark-on-light))?$/, 'light-on-dark or dark-on-light'),
  labels: list(text()),
});
const port = object<Port>({
  name: portName,
  dtype: words('float32 int32'),
  shape: portShape,
  role: words(ROLES),
  level: optional(positive),
  default: optional(number),
});
const manifest = object<Manifest>({
  format: integer(1, FORMAT),
  name,
  version: positive,
  family: object({ name: required, paper: text(), url: text() }),
  domain: object<Domain>({
    image: optional(image),
    audio: optional(
      object({
        samples: positive,
        sampleRate: positive,
        levels: count,
        coding: text(/^(linear|mu-law)?$/, 'linear or mu-law'),
        labels: list(text()),
      }),
    ),
    text: optional(object({ length: positive, vocabulary: list(text()), labels: list(text()) })),
    vector: optional(
      object({ names: list(text()), mean: list(number), deviation: list(number), labels: list(text()) }),
    ),
    video: optional(object({ frames: positive, height: positive, width: positive, channels, levels: count })),
  }),
  conditions: list(
    object<Condition>({
      kind: words('label vector attributes text'),
      size: positive,
      names: list(text()),
      frequencies: list(number),
    }),
  ),
  noises: list(object<Noise>({ name: portName, distribution: words('normal uniform'), shape })),
  operations: list(
    object<Operation>({
      name: text(new RegExp(`^(${OPERATIONS.replaceAll(' ', '|')})(\\.\\d+)?$`), `one of ${OPERATIONS}`),
      file: path,
      inputs: list(port),
      outputs: list(port),
      cost: optional(object({ parameters: count, macs: count })),
      members: list(object({ labels: list(count), file: path })),
    }),
  ),
  likelihood: object<Likelihood>({ kind: words('exact bound codes none'), dimensions: count, measure: text() }),
  scores: list(
    object<Score>({
      name: required,
      formula: oneOf(Object.keys(SCORES)),
      operations: list(text()),
      parameters: record(number),
      draws: positive,
      seed: count,
      tables: list(path),
      calibration: optional(object({ count: positive, table: path, data: text() })),
      recommended: flag,
    }),
  ),
  variants: list(object({ name: words('float16'), folder: path, maxError: number })),
  files: list(
    object({ path, bytes: count, sha256: text(/^[0-9a-f]{64}$/, 'a SHA-256: 64 lower-case hexadecimal digits') }),
  ),
  golden: list(
    object<Golden>({
      operation: required,
      seed: count,
      batch: positive,
      output: required,
      values: list(number),
      tolerance: number,
    }),
  ),
  needs: optional(object({ memoryBytes: count, operators: list(text()) })),
  licence: optional(object({ model: text(), data: text(), attribution: text() })),
  provenance: optional(
    object({
      dataset: text(),
      datasetSha256: text(/^([0-9a-f]{64})?$/, 'a SHA-256'),
      split: text(),
      seed: count,
      steps: count,
      preset: text(),
      trainingSeconds: number,
      metrics: record(number),
      versions: record(text()),
      created: text(),
      configuration: text(),
      command: text(),
    }),
  ),
  description: text(),
});

/**
 * Reads and checks the proto3 JSON of a manifest (parsed JSON, or its text or bytes left to the caller to parse).
 * Throws BUNDLE_INVALID with the path of the field, e.g. "operations[0].inputs[1].dtype".
 */
export function parseManifest(json: unknown): Manifest {
  const format = (json as { format?: unknown } | null | undefined)?.format; // any JSON value has this or undefined
  if (typeof format === 'number' && format > FORMAT)
    throw wrong('format', `this bundle has format ${format}, newer than ${FORMAT}: a newer genserve reads it`);
  const result = manifest(json, '');
  checkReferences(result);
  return result;
}

/** What one field says about another. */
function checkReferences(manifest: Manifest): void {
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

  manifest.conditions.forEach(({ kind, size, frequencies }, index) => {
    if (kind === 'label' && frequencies.length > 0) {
      const field = `conditions[${index}].frequencies`;
      if (frequencies.length !== size) throw wrong(field, `must be one number for each of the ${size} labels`);
      if (frequencies.some(share => share < 0) || !frequencies.some(share => share > 0))
        throw wrong(field, 'must be shares of the training data, 0 or more');
    }
  });
  manifest.operations.forEach((operation, index) => {
    const field = `operations[${index}]`;
    listed(operation.file, `${field}.file`);
    if (operation.members.length > 0 && inputsOf(operation, 'label').length === 0)
      throw wrong(`${field}.members`, 'need an input of role label to choose among them');
    operation.members.forEach((member, i) => {
      listed(member.file, `${field}.members[${i}].file`);
    });
    for (const side of ['inputs', 'outputs'] as const) {
      unique(operation[side], `${field}.${side}`, port => port.name);
      operation[side].forEach((port, i) => {
        checkPort(port, `${field}.${side}[${i}]`, operation, manifest, noises);
      });
    }
    const states = (ports: readonly Port[]) =>
      ports.filter(({ role }) => role === 'state').map(({ dtype, shape }) => `${dtype} [${shape}]`);
    if (states(operation.inputs).join() !== states(operation.outputs).join())
      throw wrong(`${field}.outputs`, 'must give one state for each state input, of its shape and in its order');
    if (operation.outputs.length === 0) throw wrong(`${field}.outputs`, 'must name at least one output');
    for (const { folder } of manifest.variants) listed(`${folder}/${operation.file}`, 'variants');
  });
  if (manifest.likelihood?.kind !== 'none') {
    if (!manifest.likelihood?.dimensions) throw wrong('likelihood.dimensions', 'must be 1 or more');
    known('log_prob', 'likelihood.kind');
  }
  manifest.scores.forEach((score, index) => {
    const field = `scores[${index}]`;
    score.operations.forEach((operation, i) => {
      known(operation, `${field}.operations[${i}]`);
    });
    score.tables.forEach((table, i) => {
      listed(table, `${field}.tables[${i}]`);
    });
    if (score.calibration) listed(score.calibration.table, `${field}.calibration.table`);
  });
  if (manifest.scores.filter(score => score.recommended).length > 1)
    throw wrong('scores', 'at most one may be recommended');
  manifest.golden.forEach((golden, index) => {
    const { outputs } = known(golden.operation, `golden[${index}].operation`);
    if (!outputs.some(port => port.name === golden.output))
      throw wrong(`golden[${index}].output`, `${golden.operation} has no output ${golden.output}`);
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
    throw wrong(`${field}.default`, 'must be given for a count, so that a run without it is a whole one');
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

function unique<T>(items: readonly T[], field: string, keyOf: (item: T) => string): Map<string, T> {
  const found = new Map<string, T>();
  items.forEach((item, index) => {
    const key = keyOf(item);
    if (found.has(key)) throw wrong(`${field}[${index}]`, `${key} is there twice`);
    found.set(key, item);
  });
  return found;
}

/** Shape of one datum: image [height, width, channels], audio [samples], text [length], vector [n], video [frames, height, width, channels]. */
export function domainShape(domain: Domain | undefined): number[] {
  const { image, audio, text, vector, video } = domain ?? {};
  if (image) return [image.height, image.width, image.channels];
  if (audio) return [audio.samples];
  if (text) return [text.length];
  if (vector) return [vector.names.length];
  return video ? [video.frames, video.height, video.width, video.channels] : [0];
}

/** Numbers in one datum. */
export function domainSize(domain: Domain | undefined): number {
  return domainShape(domain).reduce((product, length) => product * length, 1);
}

/** The operation ("sample", or "sample#1" for a member of it), or OPERATION_UNSUPPORTED with those that there are. */
export function findOperation(manifest: Manifest, name: string): Operation {
  const found = manifest.operations.find(operation => operation.name === name.split('#')[0]);
  if (found) return found;
  const others = manifest.operations.map(operation => operation.name).join(', ');
  throw new GenserveError('OPERATION_UNSUPPORTED', `${manifest.name} has no operation ${name}; it has ${others}`);
}

/** The input ports of an operation that bear this role. */
export function inputsOf(operation: Operation, role: string): Port[] {
  return operation.inputs.filter(port => port.role === role);
}

/** Number of classes; 0 where the model takes no label. */
export function classCount(manifest: Manifest): number {
  return manifest.conditions.find(condition => condition.kind === 'label')?.size ?? 0;
}

/** Names of the classes: the condition's, or the domain's, or their numbers. */
export function labelNames(manifest: Manifest): string[] {
  const condition = manifest.conditions.find(({ kind }) => kind === 'label');
  const { image, audio, text, vector } = manifest.domain ?? {};
  const names = condition?.names.length ? condition.names : ((image ?? audio ?? text ?? vector)?.labels ?? []);
  return Array.from({ length: Math.max(names.length, condition?.size ?? 0) }, (_, i) => names[i] ?? String(i));
}
