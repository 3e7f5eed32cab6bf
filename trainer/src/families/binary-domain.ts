// The domain of models of binary pixels.
import type { Domain } from '@genserve/runtime';

/** The pixels that the model is of: those of the domain, to be binarised anew at every step where they are grey. */
export function binaryDomain(domain: Domain): Domain {
  if (!domain.image || domain.image.levels === 2) return domain;
  return { image: { ...domain.image, levels: 2, binarisation: 'dynamic' } };
}
