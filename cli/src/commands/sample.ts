// `genserve sample`: samples of a bundle, in files that `--data` takes.
import { drawSeed, labelNames } from '@genserve/runtime';
import { Command } from 'commander';
import { bundleFolder } from '../bundle.js';
import { interruptible } from '../interrupt.js';
import { labelOf } from '../label.js';
import { jsonOption, positiveInteger, positiveNumber, wholeNumber } from '../options.js';
import { print, printFigures } from '../output.js';
import { counter } from '../progress.js';

interface Flags {
  readonly count: number;
  readonly out: string;
  readonly label?: string;
  readonly seed?: number;
  readonly temperature?: number;
  readonly truncation?: number;
  readonly variant?: string;
  readonly json?: boolean;
}

export function sampleCommand(): Command {
  return new Command('sample')
    .description('draw samples to files, with labels, usable again as --data')
    .argument('<bundle>', 'models/<name>, models/<name>/<version>, or a name below models/')
    .option('--count <number>', 'how many', positiveInteger, 64)
    .requiredOption(
      '--out <path>',
      'a folder of PNGs (classes in subfolders), file.npz, sheet.png; vectors also file.csv',
    )
    .option('--label <name|number>', 'class to draw from, where the model knows classes')
    .option('--seed <number>', 'drawn and told when absent', wholeNumber)
    .option('--temperature <number>', 'below 1: nearer to the typical; 1 when absent', positiveNumber)
    .option('--truncation <number>', 'where the family has one', positiveNumber)
    .option('--variant <name>', 'e.g. float16; the float32 graphs when absent')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExamples:\n  $ genserve sample models/mnist-vae --count 100 --seed 7 --out sheet.png\n' +
        '  $ genserve sample mnist-vae --count 10000 --out drawn.npz && genserve train --family vae --data drawn.npz --minutes 5\n',
    )
    .action(async (reference: string, flags: Flags) => {
      const folder = bundleFolder(reference);
      const { openGenerator, rowWriter } = await import('@genserve/trainer');
      const generator = await openGenerator(folder, { variant: flags.variant });
      try {
        const { manifest } = generator;
        const label = flags.label === undefined ? undefined : labelOf(flags.label, manifest);
        const { count, temperature, truncation } = flags;
        const seed = flags.seed ?? drawSeed();
        const writer = rowWriter(flags.out, { domain: manifest.domain!, labels: labelNames(manifest) }); // checked when opened
        const started = performance.now();
        const report = counter('samples');
        let drawn = 0;
        await interruptible('stopping', async signal => {
          for await (const part of generator.sampleStream({ count, seed, label, temperature, truncation, signal })) {
            await writer.add(part);
            drawn += part.data.shape[0] ?? 0;
            report(drawn, count);
          }
        });
        const what = await writer.finish();
        const seconds = (performance.now() - started) / 1000;
        const context = { bundle: `${manifest.name}/${manifest.version}`, seed, out: flags.out, label: flags.label };
        if (flags.json) printFigures({ metrics: { 'sample.count': drawn, 'sample.seconds': seconds }, context });
        else print(`${what} (seed ${seed})`);
      } finally {
        await generator.close();
      }
    });
}
