// `genserve score`: likelihood and anomaly scores of a whole data set, to a file.
import { domainShape } from '@genserve/runtime';
import { Command } from 'commander';
import { bundleFolder } from '../bundle.js';
import { interruptible } from '../interrupt.js';
import { openDataFor } from '../model-data.js';
import { jsonOption, positiveInteger, positiveNumber } from '../options.js';
import { integer, print, printFigures } from '../output.js';
import { counter } from '../progress.js';
import { scoreFile } from '../score-file.js';
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
    .requiredOption('--out <file>', 'a .csv or .jsonl file')
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
      const folder = bundleFolder(reference);
      const file = await scoreFile(flags.out);
      try {
        const { openGenerator } = await import('@genserve/trainer');
        const generator = await openGenerator(folder);
        const { manifest } = generator;
        const dataset = await openDataFor(manifest, data);
        const shape = domainShape(manifest.domain);
        const split = dataset[flags.split];
        const labels = (dataset.domain.image ?? dataset.domain.vector)?.labels ?? [];
        const report = counter('rows');
        const total = Math.min(flags.limit ?? split.count, split.count);
        const decisions: Record<string, number> = { normal: 0, anomalous: 0, unsure: 0 };
        let rows = 0;
        let nats = 0;
        await interruptible('stopping', async signal => {
          const options = { ...flags, scores: flags.scores?.split(',').map(name => name.trim()), labels, signal };
          for await (const part of scoreRows(generator, split, shape, options)) {
            await file.write(part);
            for (const { log_prob, scores } of part) {
              nats -= log_prob ?? Number.NaN;
              const first = Object.values(scores)[0];
              if (first) decisions[first.decision] = (decisions[first.decision] ?? 0) + 1;
            }
            rows += part.length;
            report(rows, total);
          }
        });
        await generator.close();
        await file.finish();
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
        await file.discard();
      }
    });
}
