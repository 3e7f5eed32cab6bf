// `genserve bench`: genserve beside its rivals. The benchmarks live in a checkout of the repository.
import { Command } from 'commander';
import { collect, jsonOption, positiveInteger } from '../options.js';
import { print, printFigures, say } from '../output.js';

interface TrainFlags {
  readonly net?: string[];
  readonly threads: number;
  readonly rounds: number;
  readonly steps: number;
  readonly profile?: boolean;
  readonly json?: boolean;
}

export function benchCommand(): Command {
  return new Command('bench')
    .description('measure genserve beside its rivals')
    .addCommand(benchTrainCommand())
    .addCommand(benchSampleCommand())
    .addCommand(benchServeCommand())
    .addCommand(benchSdkCommand());
}

interface SampleFlags {
  readonly models: string;
  readonly model?: string[];
  readonly batch?: readonly number[];
  readonly threads: number;
  readonly passes: number;
  readonly rounds: number;
  readonly count: number;
  readonly json?: boolean;
}

function benchSampleCommand(): Command {
  return new Command('sample')
    .description('drawing pixels with caches beside one full forward pass for each; images per second of every model')
    .option('--models <folder>', 'model repository', 'models')
    .option('--model <name>', 'only this one; may be given several times', collect)
    .option(
      '--batch <images>',
      'only this one of 1, 2, 4, ..., 256; may be given several times',
      (text, before: readonly number[] = []) => [...before, positiveInteger(text)],
    )
    .option('--threads <count>', 'of both sides', positiveInteger, 2)
    .option('--passes <count>', 'full forward passes that are timed', positiveInteger, 30)
    .option('--rounds <count>', 'turns of each side', positiveInteger, 3)
    .option('--count <images>', 'of a request, for images per second', positiveInteger, 16)
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExamples:\n  $ genserve bench sample --json\n  $ genserve bench sample --model mnist-pixelcnn --batch 1 --batch 256\n',
    )
    .action(async ({ json, model, batch, ...options }: SampleFlags) => {
      const { benchSample } = await import('@genserve/benchmarks');
      const { metrics, context, table } = await benchSample({ ...options, only: model, batches: batch, log: say });
      if (json) {
        say(table);
        printFigures({ metrics, context });
      } else print(table);
    });
}

interface ServeFlags {
  readonly models: string;
  readonly model?: string[];
  readonly rounds: number;
  readonly seconds: number;
  readonly overload?: number;
  readonly json?: boolean;
}

function benchServeCommand(): Command {
  return new Command('serve')
    .description('the server beside raw onnxruntime, the bare transport and an express handler, over both protocols')
    .option('--models <folder>', 'model repository', 'models')
    .option('--model <name>', 'only this one; may be given several times', collect)
    .option('--rounds <count>', 'turns of each side', positiveInteger, 3)
    .option('--seconds <count>', 'of each turn', positiveInteger, 3)
    .option('--overload <seconds>', 'and three times the load that it can take, for so long', positiveInteger)
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  $ genserve bench serve --model mnist-vae --overload 60\n')
    .action(async ({ json, model: names, overload: overloadSeconds, ...options }: ServeFlags) => {
      const { benchServe } = await import('@genserve/benchmarks');
      const { metrics, context, table } = await benchServe({ ...options, names, overloadSeconds, log: say });
      if (json) {
        say(table);
        printFigures({ metrics, context });
      } else print(table);
    });
}

interface SdkFlags {
  readonly models: string;
  readonly model: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly chromium: string;
  readonly json?: boolean;
}

function benchSdkCommand(): Command {
  return new Command('sdk')
    .description('the SDK in headless Chromium: time to the first picture, and onnxruntime-web by hand beside it')
    .option('--models <folder>', 'model repository', 'models')
    .option('--model <name>', 'the model, version 1', 'mnist-vae')
    .option('--rounds <count>', 'visits of each kind, and turns of each side', positiveInteger, 5)
    .option('--seconds <count>', 'of each turn', positiveInteger, 2)
    .option('--chromium <file>', 'the browser', '/usr/bin/chromium')
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  $ genserve bench sdk --json\n')
    .action(async ({ json, ...options }: SdkFlags) => {
      const { benchSdk } = await import('@genserve/benchmarks');
      const { metrics, context, table } = await benchSdk({ ...options, log: say });
      if (json) {
        say(table);
        printFigures({ metrics, context });
      } else print(table);
    });
}

function benchTrainCommand(): Command {
  return new Command('train')
    .description("the training step beside PyTorch's, from the same weights and batches, and the machine's ceilings")
    .option('--net <name>', 'only this one; may be given several times', collect)
    .option('--threads <count>', 'of both sides', positiveInteger, 2)
    .option('--rounds <count>', 'turns of each side', positiveInteger, 3)
    .option('--steps <count>', 'steps of a turn', positiveInteger, 20)
    .option('--profile', 'instead, where the time of our step goes: by operator and by node')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExamples:\n  $ genserve bench train --json\n  $ genserve bench train --net vae --profile\n',
    )
    .action(async ({ profile, json, net, ...options }: TrainFlags) => {
      const { benchTrain, profileTrain, trainNets } = await import('@genserve/benchmarks');
      if (profile) {
        const { threads, steps } = options;
        for (const name of net ?? trainNets.map(each => each.name))
          print(await profileTrain({ net: name, threads, steps }));
        return;
      }
      const { metrics, context, table } = await benchTrain({ ...options, nets: net, log: say });
      if (json) {
        say(table);
        printFigures({ metrics, context });
      } else print(table);
    });
}
