// `genserve datasets`: what can be learnt from.
import { Command } from 'commander';
import { paint, print } from '../output.js';

export function datasetsCommand(): Command {
  return new Command('datasets')
    .description('list the data sets, and the formats of your own data; or look at one')
    .argument('[data]', 'name or path to open and describe')
    .option('--json', 'one JSON object on standard output')
    .addHelpText(
      'after',
      '\nExamples:\n  $ genserve datasets\n  $ genserve datasets photos/      what is found in a folder\n',
    )
    .action(async (data: string | undefined, { json }: { json?: boolean }) => {
      const { datasets, openDataset } = await import('@genserve/trainer');
      if (data !== undefined) {
        const { train, calibration, test, ...found } = await openDataset(data);
        const counts = { train: train.count, calibration: calibration.count, test: test.count };
        if (json) print(JSON.stringify({ metrics: counts, context: found }, null, 2));
        else {
          print(`${paint('bold', found.name)}: ${found.summary}`);
          print(`  ${found.split}`);
          print(`  sha256 ${found.sha256}`);
          print(`  licence ${found.licence}${found.attribution ? `; ${found.attribution}` : ''}`);
        }
        return;
      }
      const list = await datasets();
      if (json) {
        print(JSON.stringify(list, null, 2));
        return;
      }
      print(paint('bold', 'By name'));
      for (const { name, description, licence, available, install } of list.named) {
        print(`  ${name.padEnd(16)} ${description} (${licence})`);
        if (!available && install) print(`  ${' '.repeat(16)} not on this machine: ${install}`);
      }
      print(`\n${paint('bold', 'By path')}`);
      for (const { name, description } of list.formats) print(`  ${name.padEnd(16)} ${description}`);
    });
}
