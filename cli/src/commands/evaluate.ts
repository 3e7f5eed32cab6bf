// `genserve evaluate`: how good a bundle is, measured from the bundle alone.

import { invalid } from '@genserve/runtime';
import type { MetricName } from '@genserve/trainer';
import { Command, Option } from 'commander';
import { bundleFolder } from '../bundle.js';
import { withEngine } from '../engine.js';
import { type AnomalyFlags, evaluateAnomalies } from '../evaluate-anomalies.js';
import { evaluateHeldOut, type HeldOutFlags } from '../held-out.js';
import { interruptible } from '../interrupt.js';
import { jsonOption, positiveInteger, positiveNumber, wholeNumber } from '../options.js';
import { print, printFigures, table } from '../output.js';
import { counter } from '../progress.js';

interface Flags extends AnomalyFlags, HeldOutFlags {
  readonly protocol?: 'held-out-class';
  readonly metric?: MetricName | 'anomaly';
  readonly k?: number;
  readonly limit?: number;
  readonly split: 'train' | 'calibration' | 'test';
  readonly seed: number;
  readonly variant?: string;
  readonly out?: string;
  readonly classifier?: string;
  readonly ganTrain?: number | true;
  readonly json?: boolean;
}

/** Thirteen epochs of 10,000 rows, about a minute on two cores. */
const GAN_TRAIN_STEPS = 2000;

export function evaluateCommand(): Command {
  return withEngine(new Command('evaluate'))
    .description('measure a bundle on data')
    .argument('[bundle]', 'models/<name>, models/<name>/<version>, or a name below models/; none with --protocol')
    .requiredOption('--data <name|path>', 'data set or path')
    .addOption(
      new Option(
        '--metric <name>',
        'what to measure: nll, the negative log-likelihood (the default); latent, what codes hold; samples, sheets to look at, and with --classifier how good they are; accuracy, of a classifier; codes, how many of its codebook a model uses; translation, how near the truth pictures come; anomaly, with --anomaly',
      ).choices(['nll', 'latent', 'samples', 'accuracy', 'codes', 'translation', 'anomaly']),
    )
    .option(
      '--anomaly <names>',
      'how well scores tell these data sets from --data, separated by commas: names or paths, constant, noise, emoji',
    )
    .addOption(
      new Option(
        '--protocol <name>',
        'held-out-class: for each class, train without it and find it in the test data; goes on where it was stopped',
      ).choices(['held-out-class']),
    )
    .option('--families <names>', 'of the protocol, separated by commas; vae when absent')
    .option('--classes <numbers>', 'of the protocol, separated by commas; all when absent')
    .option('--minutes <number>', 'of training each model of the protocol; by family when absent', positiveNumber)
    .option('--steps <count>', 'or so many steps', positiveInteger)
    .option('--runs <folder>', 'of the protocol', 'runs')
    .option('--k <count>', 'importance samples for a bound; 100 when absent', positiveInteger)
    .option('--limit <rows>', 'only the first rows; of samples to judge, how many, 10000 when absent', positiveInteger)
    .addOption(
      new Option('--split <part>', 'part of the data').choices(['train', 'calibration', 'test']).default('test'),
    )
    .option('--seed <number>', 'of samples, binarisation and importance samples', wholeNumber, 0)
    .option('--variant <name>', 'e.g. float16; the float32 graphs when absent')
    .option('--classifier <bundle>', 'that judges samples, of the family classifier')
    .option(
      '--gan-train [steps]',
      `also train a classifier on the samples, and one on as many real pictures, and test both on real ones: so many steps each, ${GAN_TRAIN_STEPS} when absent`,
      positiveInteger,
    )
    .option('--out <folder>', 'of sheets; samples/<name>-<version> when absent')
    .addOption(jsonOption())
    .addHelpText('after', examples)
    .action(async (reference: string | undefined, flags: Flags, command: Command) => {
      if (flags.protocol !== undefined) return await evaluateHeldOut(flags);
      const isGiven = (name: string) => command.getOptionValueSource(name) === 'cli';
      const trains = ['engine', 'device', 'backend', 'threads'].find(isGiven);
      if (trains) throw invalid(trains, 'says what trains the models of --protocol: it goes with that');
      if (reference === undefined) throw invalid('bundle', 'must be named, e.g. models/mnist-vae');
      const folder = bundleFolder(reference);
      const { metric = flags.anomaly === undefined ? 'nll' : 'anomaly' } = flags;
      if (metric === 'anomaly') return await evaluateAnomalies(folder, flags);
      if (flags.classifier !== undefined && metric !== 'samples')
        throw invalid('classifier', 'judges samples: it goes with --metric samples');
      if (flags.ganTrain !== undefined && flags.classifier === undefined)
        throw invalid('ganTrain', 'is one of the figures of judged samples: it goes with --classifier');
      const classifier = flags.classifier && bundleFolder(flags.classifier);
      const ganTrainSteps = flags.ganTrain === true ? GAN_TRAIN_STEPS : flags.ganTrain;
      const { evaluate, openDataset } = await import('@genserve/trainer');
      const dataset = await openDataset(flags.data);
      const { metrics, context } = await interruptible('stopping', signal =>
        evaluate(folder, dataset, { ...flags, metric, classifier, ganTrainSteps, signal, onProgress: counter('rows') }),
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
  $ genserve evaluate models/mnist-dcgan --data mnist --metric samples --classifier models/mnist-classifier --seed 1
  $ genserve evaluate models/mnist-ac-gan --data mnist --metric samples --classifier models/mnist-classifier --gan-train
  $ genserve evaluate models/emoji-pix2pix --data emoji-pairs --metric translation
  $ genserve evaluate models/fashion-vae --data fashion-mnist --anomaly mnist,constant,noise,emoji
  $ genserve evaluate --protocol held-out-class --data mnist --families vae,gated-pixelcnn --runs runs/held-out
`;
