// `genserve export`: a bundle from the last checkpoint of a run.
import { Command } from 'commander';
import { type ExportFlags, exportFlags, exportOptions, exportRun } from '../export-run.js';
import { jsonOption, outOption } from '../options.js';
import { printFigures } from '../output.js';
import { runArgument } from './resume.js';

interface Flags extends ExportFlags {
  readonly out: string;
  readonly name?: string;
  readonly ensemble?: string;
  readonly json?: boolean;
}

export function exportCommand(): Command {
  return new Command('export')
    .description('export a run again, as the next version of its bundle')
    .addArgument(runArgument())
    .addOption(outOption())
    .option('--name <name>', "of the bundle; the run's when absent")
    .option(
      '--ensemble <runs>',
      'folders of up to four more runs of the same model from other seeds, separated by commas: for the score waic',
    )
    .addOption(exportOptions.testRows())
    .addOption(exportOptions.calibrationRows())
    .addOption(exportOptions.description())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExample:\n  $ genserve export runs/made-0 --ensemble runs/made-1,runs/made-2 --name made\n',
    )
    .action(async (folder: string, flags: Flags) => {
      const { out, name, ensemble } = flags;
      const { metrics, context } = await exportRun(folder, {
        ...exportFlags(flags),
        ...{ out, name, ensemble: ensemble?.split(',').map(run => run.trim()) },
      });
      if (flags.json) printFigures({ metrics, context: { run: folder, ...context } });
    });
}
