// The manifest as this package hands it out: the generated types under short names.
export type {
  Domain,
  ImageDomain,
  Manifest,
  Noise,
  Operation,
  Port,
  Score,
} from '@genserve/proto/manifest';
