// `genserve evaluate`: how good a bundle is, measured from the bundle alone.
import type { MetricName } from '@genserve/trainer';
import { Command, Option } from 'commander';
import { bundleFolder } from '../bundle.js';
import { evaluateAnomalies } from '../evaluate-anomalies.js';
import { interruptible } from '../interrupt.js';
import { jsonOption, positiveInteger, wholeNumber } from '../options.js';
import { print, printFigures, table } from '../output.js';
import { counter } from '../progress.js';

interface Flags {
  readonly data: string;
  readonly metric?: MetricName | 'anomaly';
  readonly anomaly?: string;
  readonly k?: number;
  readonly limit?: number;
  readonly split: 'train' | 'calibration' | 'test';
  readonly seed: number;
  readonly variant?: string;
  readonly out?: string;
  readonly json?: boolean;
}

export function evaluateCommand(): Command {
  return new Command('evaluate')
    .description('measure a bundle on data')
    .argument('<bundle>', 'models/<name>, models/<name>/<version>, or a name below models/')
    .requiredOption('--data <name|path>', 'data set or path')
    .addOption(
      new Option(
        '--metric <name>',
        'what to measure: nll, the negative log-likelihood (the default); latent, what codes hold; samples, sheets to look at; accuracy, of a classifier; anomaly, with --anomaly',
      ).choices(['nll', 'latent', 'samples', 'accuracy', 'anomaly']),
    )
    .option(
      '--anomaly <names>',
      'how well scores tell these data sets from --data, separated by commas: names or paths, constant, noise, emoji',
    )
    .option('--k <count>', 'importance samples for a bound; 100 when absent', positiveInteger)
    .option('--limit <rows>', 'only the first rows', positiveInteger)
    .addOption(
      new Option('--split <part>', 'part of the data').choices(['train', 'calibration', 'test']).default('test'),
    )
    .option('--seed <number>', 'of binarisation and importance samples', wholeNumber, 0)
    .option('--variant <name>', 'e.g. float16; the float32 graphs when absent')
    .option('--out <folder>', 'of sheets; samples/<name>-<version> when absent')
    .addOption(jsonOption())
    .addHelpText('after', examples)
    .action(async (reference: string, flags: Flags) => {
      const folder = bundleFolder(reference);
      const { metric = flags.anomaly === undefined ? 'nll' : 'anomaly' } = flags;
      if (metric === 'anomaly') return await evaluateAnomalies(folder, flags);
      const { evaluate, openDataset } = await import('@genserve/trainer');
      const dataset = await openDataset(flags.data);
      const { metrics, context } = await interruptible('stopping', signal =>
        evaluate(folder, dataset, { ...flags, metric, signal, onProgress: counter('rows') }),
      );
      if (flags.json) printFigures({ metrics, context });
      else {
        const rows = Object.entries(metrics).map(([name, value]) => [name, value.toFixed(4)]);
        print(table(['metric', 'value'], rows));
        print(
          `\n${Object.entries(context)
            .map(([name, value]) => `${name} ${value}`)
            .join(', ')}`,
        );
      }
    });
}

const examples = `
Examples:
  $ genserve evaluate models/mnist-vae --data mnist --limit 1000 --k 100
  $ genserve evaluate models/mnist-vae --data mnist --metric samples --out sheets
  $ genserve evaluate models/fashion-vae --data fashion-mnist --anomaly mnist,constant,noise,emoji
`;
