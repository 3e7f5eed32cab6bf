// New calibration for a published bundle, on normal data of the user's own: the next version, else the same.
import { dirname } from 'node:path';
import { type Bytes, GenserveError, openBundle } from '@genserve/runtime';
import type { Dataset } from '../data/dataset.js';
import { calibrateScores } from '../scores/calibrate.js';
import { spread } from '../scores/rows.js';
import { modelCard } from './card.js';
import { folderSource, generatorOf } from './open.js';
import { type Published, publish } from './publish.js';

export interface RecalibrateOptions {
  /** The model repository; the one that the bundle lies in when absent. */
  readonly out?: string | undefined;
  /** Rows, from all over the data; 10,000 when absent, as many as a table keeps. */
  readonly rows?: number | undefined;
  /** Also a table for each class of the data. */
  readonly perClass?: boolean | undefined;
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
    const data = `${dataset.name} (${dataset.sha256.slice(0, 12)})`;
    const { perClass } = options;
    const { scores, tables } = await calibrateScores(generator, spread(dataset.all, options.rows ?? 10_000), {
      data,
      perClass,
    });
    for (const [path, bytes] of tables) files.set(path, bytes);
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
