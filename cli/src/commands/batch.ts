// `genserve batch`: trains and exports a plan of runs.
import { GenserveError, invalid } from '@genserve/runtime';
import { Command } from 'commander';
import { type EngineFlags, engineOf, withEngine } from '../engine.js';
import { EXIT_CODES } from '../exit-codes.js';
import { interruptible } from '../interrupt.js';
import { jsonOption, positiveInteger } from '../options.js';
import { duration, paint, print, printFigures, say, table } from '../output.js';
import { progress, sideBySide } from '../progress.js';

interface Flags extends EngineFlags {
  readonly runs?: string;
  readonly out?: string;
  readonly jobs: number;
  readonly json?: boolean;
}

export function batchCommand(): Command {
  const command = new Command('batch')
    .description('train and export a plan of runs; started again, it goes on where it stopped')
    .argument('<plan>', 'YAML file: a list of recipes')
    .option('--runs <folder>', "folder of runs; the plan's when absent")
    .option('--out <folder>', "model repository; the plan's when absent")
    .option(
      '--jobs <count>',
      'runs side by side, each on its share of the cores: two of one thread do up to twice the work of one on two',
      positiveInteger,
      1,
    )
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExamples:\n  $ genserve batch recipes/plans/quick.yaml\n  $ genserve batch recipes/plans/likelihood.yaml --jobs 2\n',
    )
    .action(async (path: string, flags: Flags) => {
      const { batch } = await import('@genserve/trainer');
      const single = flags.jobs === 1;
      if (!single) checkJobs(flags);
      const chosen = single
        ? { engine: await engineOf(flags) }
        : { jobs: { count: flags.jobs, threads: flags.threads } };
      const shown = single ? () => progress() : sideBySide();
      const results = await interruptible('stopping after this step and saving a checkpoint', signal =>
        batch(path, {
          runs: flags.runs,
          models: flags.out,
          ...chosen,
          signal,
          watch: name => [shown(name)],
          onRun: (name, action) => say(paint('cyan', `${name}: ${action}`)),
        }),
      );
      const columns = [...new Set(results.flatMap(({ metrics }) => Object.keys(metrics)))].filter(name =>
        ['test.nll_nats', 'test.kl_nats', 'test.bits_per_dim'].includes(name),
      );
      if (flags.json) {
        const metrics = Object.fromEntries(
          results.flatMap(({ name, metrics: figures }) =>
            Object.entries(figures).map(([key, value]) => [`${name}.${key}`, value]),
          ),
        );
        printFigures({ metrics, context: { plan: path, runs: results } });
      } else {
        const rows = results.map(({ name, status, seconds, bundle, error, metrics }) => [
          name,
          status,
          seconds === undefined ? '' : duration(seconds),
          ...columns.map(column => (metrics[column] === undefined ? '' : metrics[column].toFixed(3))),
          bundle ?? (error ? `${error.reason}: ${error.message}` : ''),
        ]);
        print(table(['run', 'status', 'training', ...columns, 'bundle'], rows));
      }
      const failed = results.find(({ status }) => status === 'failed');
      const stopped = results.some(({ status }) => status === 'stopped' || status === 'waiting');
      if (stopped) say(`go on with: genserve batch ${path}`);
      if (stopped) process.exitCode = EXIT_CODES.CANCELLED;
      else if (failed?.error) process.exitCode = EXIT_CODES[GenserveError.fromJSON(failed.error).reason];
    });
  return withEngine(command);
}

/** Throws INVALID_ARGUMENT where one device, or a slower engine, would have to serve them all. */
function checkJobs({ engine, device, backend }: Flags): void {
  const others = [
    engine === 'eager' && '--engine eager',
    backend !== undefined && '--backend',
    (device === 'cuda' || device === 'webgpu') && `--device ${device}`,
  ];
  const asked = others.find(option => option !== false);
  const where = 'train on the CPU with the compiled engine, each in a process of its own';
  if (asked) throw invalid('jobs', `${where}: leave out ${asked}`);
}
