// The fields of a manifest one by one: types and closed lists of proto/genserve/bundle/v1. The generated reader is not
// used, because it guesses (a missing string becomes '', a word becomes NaN) and is larger than this one.
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
import { FORMULAS } from './scores/formula-names.js';

/** The newest bundle layout that this reader knows. */
export const FORMAT = 1;

const ROLES =
  'data latent codes label vector attributes text style strength mask noise temperature truncation count state log_prob map logits score features';
const OPERATIONS =
  'sample decode encode reconstruct complete translate translate_back log_prob log_prob_map critic classify features background_log_prob gradient_norms';

const words = (line: string) => oneOf(line.split(' '));
/** One of the words, or nothing. */
const choice = (line: string) => text(RegExp(`^(${line})?$`), `one of ${line}`);
const anyText = text();
const texts = list(anyText);
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
const portShape = list(count);

const image = object({
  height: positive,
  width: positive,
  channels,
  levels: count,
  binarisation: choice('none|dynamic|threshold|static'),
  polarity: choice('light-on-dark|dark-on-light'),
  labels: texts,
});
const port = object<Port>({
  name: portName,
  dtype: words('float32 int32'),
  shape: portShape,
  role: words(ROLES),
  level: optional(positive),
  default: optional(number),
  limit: optional(positive),
});
export const manifestSchema = object<Manifest>({
  format: integer(1, FORMAT),
  name,
  version: positive,
  family: object({ name: required, paper: anyText, url: anyText }),
  domain: object<Domain>({
    image: optional(image),
    audio: optional(
      object({
        samples: positive,
        sampleRate: positive,
        levels: count,
        coding: choice('linear|mu-law'),
        labels: texts,
      }),
    ),
    text: optional(object({ length: positive, vocabulary: texts, labels: texts })),
    vector: optional(object({ names: texts, mean: list(number), deviation: list(number), labels: texts })),
    video: optional(object({ frames: positive, height: positive, width: positive, channels, levels: count })),
  }),
  conditions: list(
    object<Condition>({
      kind: words('label vector attributes text'),
      size: positive,
      names: texts,
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
  likelihood: object<Likelihood>({ kind: words('exact bound codes none'), dimensions: count, measure: anyText }),
  scores: list(
    object<Score>({
      name: required,
      formula: oneOf(FORMULAS),
      operations: texts,
      parameters: record(number),
      draws: positive,
      seed: count,
      tables: list(path),
      calibration: optional(
        object({
          count: positive,
          table: path,
          data: anyText,
          classes: list(object({ label: count, count: positive, table: path })),
        }),
      ),
      recommended: flag,
      statistics: texts,
      usesLabel: flag,
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
      stride: count,
    }),
  ),
  needs: optional(object({ memoryBytes: count, operators: texts })),
  licence: optional(object({ model: anyText, data: anyText, attribution: anyText })),
  provenance: optional(
    object({
      dataset: anyText,
      datasetSha256: text(/^([0-9a-f]{64})?$/, 'a SHA-256'),
      split: anyText,
      seed: count,
      steps: count,
      preset: anyText,
      trainingSeconds: number,
      metrics: record(number),
      versions: record(anyText),
      created: anyText,
      configuration: anyText,
      command: anyText,
    }),
  ),
  description: anyText,
});
