// New calibration for a published bundle, on normal data of the user's own: the next version, else the same.
import { dirname } from 'node:path';
import { type BundleGenerator, type Bytes, GenserveError, type Manifest, openBundle } from '@genserve/runtime';
import type { Dataset } from '../data/dataset.js';
import { calibrateScores } from '../scores/calibrate.js';
import { prepareScores, type ScoresStage } from '../scores/prepare.js';
import { spread } from '../scores/rows.js';
import { modelCard } from './card.js';
import { folderSource, generatorOf } from './open.js';
import { type Published, publish } from './publish.js';

export interface RecalibrateOptions {
  /** The model repository; the one that the bundle lies in when absent. */
  readonly out?: string | undefined;
  /** Rows, from all over the data; 10,000 when absent, as many as a table keeps. */
  readonly rows?: number | undefined;
  /**
   * Also fit anew what scores know of normal data, on the parts of the data, with every score that the bundle's operations
   * allow, and choose again which is recommended. Only the data that calibrate are then held out.
   */
  readonly refit?: boolean | undefined;
  /** Also a table for each class of the data. */
  readonly perClass?: boolean | undefined;
  /** Rows of a stage that have been scored, of all. */
  readonly onProgress?: ((stage: ScoresStage, done: number, total: number) => void) | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** `bundle` is models/<name>/<version>. Every row of `dataset` is taken for normal. */
export async function recalibrate(
  bundle: string,
  dataset: Dataset,
  options: RecalibrateOptions = {},
): Promise<Published> {
  const opened = await openBundle(folderSource(bundle));
  const { manifest } = opened;
  if (manifest.scores.length === 0 && !options.refit)
    throw new GenserveError('OPERATION_UNSUPPORTED', `${manifest.name} has no anomaly scores to calibrate`);
  const files = new Map<string, Bytes>();
  // Fitted anew, none of the old tables is asked for.
  const kept = manifest.files.filter(({ path }) => !(options.refit && path.startsWith('tables/')));
  for (const { path } of kept) files.set(path, await opened.file(path));
  const generator = generatorOf(opened, { joint: true });
  try {
    const { scores, tables, metrics } = options.refit
      ? await prepareScores(generator, dataset, options)
      : { ...(await calibrateAll(generator, dataset, options)), metrics: undefined };
    for (const [path, bytes] of tables) files.set(path, bytes);
    const out = options.out ?? dirname(dirname(bundle));
    return await publish(
      out,
      manifest.name,
      version => ({ ...manifest, version, scores, provenance: withMetrics(manifest, metrics) }),
      next => new Map([...files, ['README.md', new TextEncoder().encode(modelCard(next))]]),
    );
  } finally {
    await generator.close();
  }
}

/** Every row is held out: the model has seen none of them. */
async function calibrateAll(generator: BundleGenerator, dataset: Dataset, options: RecalibrateOptions) {
  const data = `${dataset.name} (${dataset.sha256.slice(0, 12)})`;
  const { perClass, rows = 10_000 } = options;
  const onProgress = (done: number, total: number) => options.onProgress?.('calibrate', done, total);
  return await calibrateScores(generator, spread(dataset.all, rows), { data, perClass, onProgress });
}

/** Figures of an earlier choice of score give way to those of the new one. */
function withMetrics(
  { provenance }: Manifest,
  metrics: Readonly<Record<string, number>> | undefined,
): Manifest['provenance'] {
  if (!provenance || !metrics) return provenance;
  const kept = Object.entries(provenance.metrics).filter(([name]) => !name.startsWith('recommendation.'));
  return { ...provenance, metrics: { ...Object.fromEntries(kept), ...metrics } };
}
