// `genserve export`: a bundle from the last checkpoint of a run.
import { Command } from 'commander';
import { type ExportFlags, exportFlags, exportOptions, exportRun } from '../export-run.js';
import { jsonOption, outOption } from '../options.js';
import { printFigures } from '../output.js';
import { runArgument } from './resume.js';

export function exportCommand(): Command {
  return new Command('export')
    .description('export a run again, as the next version of its bundle')
    .addArgument(runArgument())
    .addOption(outOption())
    .option('--name <name>', "of the bundle; the run's when absent")
    .addOption(exportOptions.testRows())
    .addOption(exportOptions.calibrationRows())
    .addOption(exportOptions.description())
    .addOption(jsonOption())
    .action(async (folder: string, flags: ExportFlags & { out: string; name?: string; json?: boolean }) => {
      const { metrics, context } = await exportRun(folder, { ...exportFlags(flags), out: flags.out, name: flags.name });
      if (flags.json) printFigures({ metrics, context: { run: folder, ...context } });
    });
}
