// Domains of images: what the rows are, after the binarisation that was asked for.
import type { Domain } from '@genserve/runtime';
import { invalid } from '@genserve/runtime';
import type { Binarisation } from './options.js';

export interface ImageDomainSpec {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly labels: readonly string[];
  readonly binarisation: Binarisation;
  /** Levels before binarisation: 256 for 8-bit images (the default), 0 for continuous values. */
  readonly levels?: number;
  readonly polarity?: 'light-on-dark' | 'dark-on-light';
}

export function imageDomain(spec: ImageDomainSpec): Domain {
  const { height, width, channels, labels, binarisation, levels = 256, polarity = 'light-on-dark' } = spec;
  if (binarisation !== 'none' && channels !== 1) {
    throw invalid('data.binarisation', `${binarisation} is for grey images; these have ${channels} channels`);
  }
  return {
    image: {
      height,
      width,
      channels,
      levels: binarisation === 'none' ? levels : 2,
      binarisation,
      polarity,
      labels: [...labels],
    },
  };
}
