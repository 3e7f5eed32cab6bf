// New calibration for a published bundle, on normal data of the user's own: the next version, else the same.
import { dirname } from 'node:path';
import { type Bytes, GenserveError, openBundle, type Score } from '@genserve/runtime';
import type { Dataset } from '../data/dataset.js';
import { calibrate } from './calibrate.js';
import { modelCard } from './card.js';
import { folderSource, generatorOf } from './open.js';
import { type Published, publish } from './publish.js';

export interface RecalibrateOptions {
  /** The model repository; the one that the bundle lies in when absent. */
  readonly out?: string | undefined;
  /** First rows of the data; 10,000 when absent, as many as a table keeps. */
  readonly rows?: number | undefined;
}

/** `bundle` is models/<name>/<version>. Every row of `dataset` is taken for normal. */
export async function recalibrate(
  bundle: string,
  dataset: Dataset,
  options: RecalibrateOptions = {},
): Promise<Published> {
  const opened = await openBundle(folderSource(bundle));
  const { manifest } = opened;
  if (manifest.scores.length === 0)
    throw new GenserveError('OPERATION_UNSUPPORTED', `${manifest.name} has no anomaly scores to calibrate`);
  const files = new Map<string, Bytes>();
  for (const { path } of manifest.files) files.set(path, await opened.file(path));
  const generator = generatorOf(opened);
  try {
    const scores: Score[] = [];
    for (const score of manifest.scores) {
      const { count, npy } = await calibrate(generator, score, dataset.all, options.rows ?? 10_000);
      const table = `tables/${score.name}.npy`;
      files.set(table, npy);
      scores.push({
        ...score,
        calibration: { count, table, data: `${dataset.name} (${dataset.sha256.slice(0, 12)})` },
      });
    }
    const out = options.out ?? dirname(dirname(bundle));
    return await publish(
      out,
      manifest.name,
      version => ({ ...manifest, version, scores }),
      next => new Map([...files, ['README.md', new TextEncoder().encode(modelCard(next))]]),
    );
  } finally {
    await generator.close();
  }
}
