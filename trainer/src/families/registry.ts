// The families that ship with genserve, by name. Users bring their own as modules (contract, section 6).
import { GenserveError } from '@genserve/runtime';
import type { Family } from '../family.js';
import { acGan } from './ac-gan.js';
import { classifier } from './classifier.js';
import { dcgan } from './dcgan.js';
import { gatedPixelCnn } from './gated-pixelcnn.js';
import { glow } from './glow.js';
import { made } from './made.js';
import { maf } from './maf.js';
import { pix2pix } from './pix2pix.js';
import { pixelCnn } from './pixelcnn.js';
import { pixelVae } from './pixelvae.js';
import { vae } from './vae.js';
import { vqVae } from './vq-vae.js';
import { wganGp } from './wgan-gp.js';

// A family is only ever used with its own configuration; outside its file that type is opaque.
const erase = <Configuration>(family: Family<Configuration>): Family => family as unknown as Family;

export const families: Readonly<Record<string, Family>> = Object.fromEntries(
  [
    erase(vae),
    erase(gatedPixelCnn),
    erase(made),
    erase(pixelCnn),
    erase(pixelVae),
    erase(glow),
    erase(maf),
    erase(dcgan),
    erase(classifier),
    erase(wganGp),
    erase(acGan),
    erase(vqVae),
    erase(pix2pix),
  ].map(family => [family.name, family]),
);

/** Throws CONFIGURATION_INVALID with the names that there are. */
export function familyNamed(name: string): Family {
  const family = Object.hasOwn(families, name) ? families[name] : undefined;
  if (family) return family;
  throw new GenserveError(
    'CONFIGURATION_INVALID',
    `family: "${name}" is not known; known are: ${Object.keys(families).join(', ')}`,
    { field: 'family' },
  );
}
