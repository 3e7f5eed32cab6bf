// The classifier that samples are judged by: a bundle with `classify` and `features`.
import { isDeepStrictEqual } from 'node:util';
import { type BundleGenerator, type Domain, domainShape, GenserveError } from '@genserve/runtime';
import { modelHash } from '../../export/model-hash.js';
import { type OpenOptions, openGenerator } from '../../export/open.js';
import { outputRows } from '../operation-rows.js';
import { type RowSet, rowRange } from './row-set.js';

export interface Judge {
  /** name/version */
  readonly name: string;
  /** SHA-256 of its graphs and weights: figures of another hash are of another measure. */
  readonly hash: string;
  readonly classNames: readonly string[];
  /** Throws CANCELLED after an abort. */
  judge(images: RowSet, options?: JudgeOptions): Promise<Judgement>;
  close(): Promise<void>;
}

export interface JudgeOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onRows?: ((rows: number) => void) | undefined;
}

/** What the classifier makes of pictures. */
export interface Judgement {
  /** [count, features] */
  readonly features: RowSet;
  /** [count, classes] */
  readonly logits: RowSet;
  /** The likeliest of each row. */
  readonly classes: readonly number[];
}

const ROWS_PER_CHUNK = 200;

/** `folder` is models/<name>/<version>. Throws INVALID_ARGUMENT where it is no classifier of pictures and classes as `domain` has. */
export async function openJudge(folder: string, domain: Domain | undefined, options?: OpenOptions): Promise<Judge> {
  const generator = await openGenerator(folder, options);
  try {
    checkJudge(generator, domain);
  } catch (cause) {
    await generator.close();
    throw cause;
  }
  const { name, version, domain: own } = generator.manifest;
  return {
    name: `${name}/${version}`,
    hash: modelHash(generator.manifest),
    classNames: own!.image!.labels, // checked
    judge: async (images, each) => judgement(generator, images, each),
    close: async () => generator.close(),
  };
}

async function judgement(
  generator: BundleGenerator,
  images: RowSet,
  { signal, onRows }: JudgeOptions = {},
): Promise<Judgement> {
  const features: Float32Array[] = [];
  const logits: Float32Array[] = [];
  for (let first = 0; first < images.count; first += ROWS_PER_CHUNK) {
    signal?.throwIfAborted();
    const { data, count } = rowRange(images, first, ROWS_PER_CHUNK);
    const rows = Float32Array.from(data);
    features.push(Float32Array.from((await outputRows(generator, featuresOutput, rows, count, signal)).data));
    logits.push(Float32Array.from((await outputRows(generator, logitsOutput, rows, count, signal)).data));
    onRows?.(count);
  }
  const judged = { features: joined(features, images.count), logits: joined(logits, images.count) };
  return { ...judged, classes: likeliest(judged.logits) };
}

const featuresOutput = { name: 'features', role: 'features' };
const logitsOutput = { name: 'classify', role: 'logits' };

function checkJudge({ manifest }: BundleGenerator, domain: Domain | undefined): void {
  const wrong = (message: string) =>
    new GenserveError('INVALID_ARGUMENT', `classifier: ${message}`, { field: 'classifier' });
  for (const { name } of [featuresOutput, logitsOutput])
    if (!manifest.operations.some(operation => operation.name === name))
      throw wrong(`${manifest.name} has no operation "${name}"; train one with --family classifier`);
  const [wanted, found] = [domainShape(domain), domainShape(manifest.domain)];
  if (wanted.join() !== found.join() || !manifest.domain?.image)
    throw wrong(`${manifest.name} takes rows of shape [${found}] where the model draws [${wanted}]`);
  const [theirs, ours] = [manifest.domain.image.labels, domain?.image?.labels ?? []];
  if (ours.length > 0 && !isDeepStrictEqual(ours, theirs))
    throw wrong(`${manifest.name} tells ${theirs.join(', ')} apart, where the model knows ${ours.join(', ')}`);
}

function joined(parts: readonly Float32Array[], count: number): RowSet {
  const data = new Float32Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return { count, width: data.length / count, data };
}

function likeliest({ count, width, data }: RowSet): readonly number[] {
  return Array.from({ length: count }, (_, row) => {
    const answers = data.subarray(row * width, (row + 1) * width);
    return answers.indexOf(Math.max(...answers));
  });
}
