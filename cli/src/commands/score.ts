// `genserve score`: likelihood and anomaly scores of a whole data set, to a file.
import { domainShape } from '@genserve/runtime';
import { Command } from 'commander';
import { bundleFolder } from '../bundle.js';
import { interruptible } from '../interrupt.js';
import { openDataFor } from '../model-data.js';
import { jsonOption, positiveInteger, positiveNumber } from '../options.js';
import { integer, print, printFigures, say } from '../output.js';
import { counter } from '../progress.js';
import { add, count, nothing } from '../score-chunk.js';
import { PART_ROWS, scoreFile, writerOf } from '../score-file.js';
import { openScorers } from '../score-workers.js';
import { scoreRows } from '../scoring.js';

interface Flags {
  readonly out: string;
  readonly scores?: string;
  readonly alpha: number;
  readonly draws?: number;
  readonly limit?: number;
  readonly split: 'all' | 'train' | 'calibration' | 'test';
  readonly json?: boolean;
}

export function scoreCommand(): Command {
  return new Command('score')
    .description('score every row of a data set: likelihood, anomaly scores, p-values and decisions')
    .argument('<bundle>', 'models/<name>, models/<name>/<version>, or a name below models/')
    .argument('<data>', 'data set or path, e.g. a folder of images')
    .requiredOption(
      '--out <file>',
      'a .csv, .jsonl or .parquet file; a run that was killed goes on when it is started again',
    )
    .option('--scores <names>', 'names of scores, separated by commas; the recommended one when absent')
    .option('--alpha <rate>', 'accepted rate of false alarms', positiveNumber, 0.05)
    .option(
      '--draws <count>',
      "importance samples; the score's own when absent (others give no p-values)",
      positiveInteger,
    )
    .option('--limit <rows>', 'only the first rows', positiveInteger)
    .option('--split <part>', 'all, train, calibration or test', 'all')
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  $ genserve score models/mnist-vae photos/ --out scores.csv --alpha 0.01\n')
    .action(async (reference: string, data: string, flags: Flags) => {
      writerOf(flags.out);
      const folder = bundleFolder(reference);
      const { openGenerator } = await import('@genserve/trainer/bundles');
      const generator = await openGenerator(folder);
      try {
        const { manifest } = generator;
        const dataset = await openDataFor(manifest, data);
        const split = dataset[flags.split];
        const total = Math.min(flags.limit ?? split.count, split.count);
        const { scores, alpha, draws } = flags;
        const file = await scoreFile(flags.out, {
          bundle: [manifest.name, manifest.version, manifest.files.map(({ sha256 }) => sha256)],
          data: [dataset.sha256, flags.split],
          ...{ total, scores, alpha, draws },
        });
        if (file.done > 0) say(`going on after row ${integer(file.done)}, which an earlier run has reached`);
        const summary = nothing();
        for await (const row of file.rows()) count(summary, row);
        await interruptible('stopping; the same command goes on from here', async signal => {
          const report = counter('rows');
          const names = scores?.split(',').map(name => name.trim());
          const scorers = openScorers(generator, folder, total - file.done, { scores: names, alpha, draws, signal });
          try {
            const labels = (dataset.domain.image ?? dataset.domain.vector)?.labels ?? [];
            const options = { first: file.done, end: total, shape: domainShape(manifest.domain), labels, signal };
            let part = '';
            for await (const chunk of scoreRows(scorers.chunks, split, options)) {
              part += chunk.lines;
              add(summary, chunk.summary);
              if (summary.rows % PART_ROWS === 0 || summary.rows === total) {
                await file.write(part);
                part = '';
              }
              report(summary.rows, total);
            }
          } finally {
            await scorers.close();
          }
        });
        await file.finish();
        const { rows, nats, decisions } = summary;
        const metrics = {
          rows,
          ...(Number.isFinite(nats) && { nll_nats: nats / rows }),
          ...Object.fromEntries(Object.entries(decisions).map(([name, n]) => [`anomaly.${name}`, n])),
        };
        const context = {
          bundle: `${manifest.name}/${manifest.version}`,
          dataset: dataset.name,
          dataset_sha256: dataset.sha256,
          split: flags.split,
          alpha: flags.alpha,
          out: flags.out,
        };
        if (flags.json) printFigures({ metrics, context });
        else {
          const { normal, anomalous, unsure } = decisions;
          print(
            `${flags.out}: ${integer(rows)} rows; ${normal} normal, ${anomalous} anomalous, ${unsure} unsure at alpha ${flags.alpha}`,
          );
        }
      } finally {
        await generator.close();
      }
    });
}
