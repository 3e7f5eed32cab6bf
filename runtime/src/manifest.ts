// The manifest's types as this package hands them out, and what others ask of a manifest.
import type { Domain, Manifest, Operation, Port, Score } from '@genserve/proto/manifest';
import { GenserveError } from './errors.js';

export type {
  AudioDomain,
  Calibration,
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

/** The first score where none is recommended; undefined where there are no scores. */
export function recommendedScore({ scores }: Manifest): Score | undefined {
  return scores.find(({ recommended }) => recommended) ?? scores[0];
}

/** Names of the classes: the condition's, or the domain's, or their numbers. */
export function labelNames(manifest: Manifest): string[] {
  const condition = manifest.conditions.find(({ kind }) => kind === 'label');
  const { image, audio, text, vector } = manifest.domain ?? {};
  const names = condition?.names.length ? condition.names : ((image ?? audio ?? text ?? vector)?.labels ?? []);
  return Array.from({ length: Math.max(names.length, condition?.size ?? 0) }, (_, i) => names[i] ?? String(i));
}
