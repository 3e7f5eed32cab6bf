// `genserve calibrate`: p-values against the user's own normal data.
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parseManifest } from '@genserve/runtime';
import { Command } from 'commander';
import { bundleFolder } from '../bundle.js';
import { openDataFor } from '../model-data.js';
import { jsonOption, positiveInteger } from '../options.js';
import { integer, print, printFigures, warn } from '../output.js';
import { scoreStages, stageProgress } from '../progress.js';

interface Flags {
  readonly data: string;
  readonly rows?: number;
  readonly perClass?: boolean;
  readonly refit?: boolean;
  readonly out?: string;
  readonly json?: boolean;
}

export function calibrateCommand(): Command {
  return new Command('calibrate')
    .description("calibrate a bundle's anomaly scores on normal data of your own, as its next version")
    .argument('<bundle>', 'models/<name>, models/<name>/<version>, or a name below models/')
    .requiredOption('--data <name|path>', 'normal data: every row is taken for normal')
    .option('--rows <count>', 'only the first rows; 10,000 at most', positiveInteger)
    .option('--per-class', 'also calibrate each class of the data by itself, for rows that are known to be of one')
    .option(
      '--refit',
      "also fit all scores that the model allows on the data's parts, and choose the recommended one again",
    )
    .option('--out <folder>', "model repository; the bundle's own when absent")
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  $ genserve calibrate models/mnist-vae --data normal-parts/\n')
    .action(async (reference: string, flags: Flags) => {
      const folder = resolve(bundleFolder(reference));
      const manifest = parseManifest(JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')));
      const { recalibrate } = await import('@genserve/trainer');
      const dataset = await openDataFor(manifest, flags.data);
      const out = flags.out ?? dirname(dirname(folder));
      const published = await recalibrate(folder, dataset, {
        ...flags,
        out,
        onProgress: stageProgress(scoreStages),
        onWarning: warn,
      });
      const counts = published.manifest.scores.map(({ name, calibration }) => [name, calibration?.count ?? 0] as const);
      if (flags.json) {
        const metrics = Object.fromEntries(counts.map(([name, rows]) => [`calibration.${name}.rows`, rows]));
        printFigures({
          metrics,
          context: { bundle: published.folder, dataset: dataset.name, dataset_sha256: dataset.sha256 },
        });
      } else {
        const rows = counts.map(([name, count]) => `${name} on ${integer(count)} rows`).join(', ');
        const what = rows === '' ? 'nothing: no score suits its operations' : `${rows} of ${dataset.name}`;
        print(`${published.folder}: calibrated ${what}`);
      }
    });
}
