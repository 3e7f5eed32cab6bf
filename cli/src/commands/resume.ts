// `genserve resume`: goes on with a run from its last checkpoint.
import { Argument, Command } from 'commander';
import { type EngineFlags, engineOf, withEngine } from '../engine.js';
import { type ExportFlags, exportFlags, exportOptions } from '../export-run.js';
import { jsonOption, outOption } from '../options.js';
import { type Finish, finishRun, watchRun } from '../run.js';

export const runArgument = () => new Argument('<run>', 'folder of the run: runs/<name>');

export function resumeCommand(): Command {
  const command = new Command('resume')
    .description('go on with a run from its last checkpoint, then export it')
    .addArgument(runArgument())
    .addOption(outOption())
    .option('--no-export', 'train only')
    .addOption(exportOptions.testRows())
    .addOption(exportOptions.calibrationRows())
    .addOption(exportOptions.description())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  $ genserve resume runs/vae-mnist-2030-01-02-03-04-05\n')
    .action(async (folder: string, flags: Finish & ExportFlags & EngineFlags) => {
      const { resume } = await import('@genserve/trainer');
      const engine = await engineOf(flags);
      await finishRun(await watchRun(run => resume(folder, { ...run, engine })), flags, exportFlags(flags));
    });
  return withEngine(command);
}
