// The classes of labelled data.
import { GenserveError, type ImageDomain } from '@genserve/runtime';

/** Throws CONFIGURATION_INVALID with `field` where the data have no labels. */
export function classCount({ labels }: ImageDomain, family: string, field = 'data'): number {
  if (labels.length > 1) return labels.length;
  throw new GenserveError('CONFIGURATION_INVALID', `${family}: the data have no labels to learn`, { field });
}
