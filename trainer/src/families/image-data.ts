// What families ask of data that are pictures.
import { type Domain, GenserveError, type ImageDomain } from '@genserve/runtime';
import type { PortSpec } from '../family.js';

/** Throws CONFIGURATION_INVALID where the data are not pictures. */
export function imageOf(family: string, domain: Domain): ImageDomain {
  if (domain.image) return domain.image;
  throw new GenserveError('CONFIGURATION_INVALID', `${family}: the data must be images`, { field: 'data' });
}

/** Pictures [batch, height, width, channels] in [0, 1]. */
export function imagePort({ height, width, channels }: ImageDomain): PortSpec {
  return { name: 'x', role: 'data', shape: [height, width, channels] };
}

/** Throws CONFIGURATION_INVALID with `field` where the data have no labels. */
export function classCount({ labels }: ImageDomain, family: string, field = 'data'): number {
  if (labels.length > 1) return labels.length;
  throw new GenserveError('CONFIGURATION_INVALID', `${family}: the data have no labels to learn`, { field });
}
