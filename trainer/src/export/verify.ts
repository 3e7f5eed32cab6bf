// Checks a bundle: manifest, sizes, checksums, and every recorded value computed again.
import { checkGolden, type GoldenResult, type Manifest, openBundle } from '@genserve/runtime';
import { folderSource, generatorOf, type OpenOptions } from './open.js';

export interface Verification {
  readonly name: string;
  readonly version: number;
  readonly files: number;
  readonly golden: readonly GoldenResult[];
  /** Whether every recorded value came out within its tolerance. */
  readonly passed: boolean;
}

/** `bundle` is models/<name>/<version>. Throws BUNDLE_INVALID, INTEGRITY_MISMATCH or ASSET_UNREACHABLE for what cannot be read. */
export async function verify(bundle: string, options: OpenOptions = {}): Promise<Verification> {
  const opened = await openBundle(folderSource(bundle));
  for (const { path } of opened.manifest.files) await opened.file(path);
  const generator = generatorOf(opened, options);
  try {
    const golden = await checkGolden(generator.runner, allowing(opened.manifest, options.variant));
    const { name, version, files } = opened.manifest;
    return { name, version, files: files.length, golden, passed: golden.every(result => result.passed) };
  } finally {
    await generator.close();
  }
}

/** The error that the manifest states for a variant, on top of what a float32 graph may differ by. */
function allowing(manifest: Manifest, variant: string | undefined): Manifest {
  const maxError = manifest.variants.find(({ name }) => name === variant)?.maxError ?? 0;
  const golden = manifest.golden.map(value => ({ ...value, tolerance: value.tolerance + maxError }));
  return { ...manifest, golden };
}
