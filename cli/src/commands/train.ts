// `genserve train`: from data to a bundle.
import { Command } from 'commander';
import { type EngineFlags, engineOf, withEngine } from '../engine.js';
import { collect, jsonOption, outOption, positiveInteger, positiveNumber, wholeNumber } from '../options.js';
import { say } from '../output.js';
import { recipeOf, type TrainFlags } from '../recipe.js';
import { type Finish, finishRun, watchRun } from '../run.js';

interface Flags extends TrainFlags, EngineFlags, Finish {
  readonly config?: string;
  readonly runs: string;
}

export function trainCommand(): Command {
  const command = new Command('train')
    .description('train a model on data and export it as a bundle')
    .option('--family <name>', 'model family (see `genserve families`), or a module of your own: ./mine.ts')
    .option('--data <name|path>', 'data set (see `genserve datasets`), or a path to your own')
    .option('--preset <name>', "architecture; the family's default when absent")
    .option('--config <file>', 'YAML recipe; the options of this command override it')
    .option(
      '--set <key=value>',
      'override a setting: latent=32, training.batch=128, data.size=32, export.testRows=100 (repeatable)',
      collect,
    )
    .option('--init-from <bundle>', 'start from the weights of models/<name>/<version>, or of runs/<name>')
    .option('--classifier <bundle>', 'that judges samples at each evaluation, of the family classifier')
    .option('--seed <number>', 'of the first weights, the order of the data and all noise', wholeNumber)
    .option('--steps <count>', 'train this many steps', positiveInteger)
    .option('--minutes <number>', 'or this long; with --steps, at most this long', positiveNumber)
    .option('--steps-per-run <count>', 'steps that one run of the engine takes, for GPUs', positiveInteger)
    .option('--runs <folder>', 'folder of runs', 'runs')
    .option('--name <name>', 'of the run and of its bundle: a-z, 0-9 and -')
    .addOption(outOption())
    .option('--no-export', 'train only; `genserve export` makes the bundle later')
    .addOption(jsonOption())
    .addHelpText('after', examples)
    .action(async (flags: Flags) => {
      const trainer = await import('@genserve/trainer');
      const { checkRecipe, exportOptionsOf, mergeRecipes, readRecipe, train, trainOptionsOf } = trainer;
      const file = flags.config === undefined ? {} : await readRecipe(flags.config);
      const recipe = checkRecipe(mergeRecipes(file, recipeOf(flags, file)));
      const engine = await engineOf(flags);
      const result = await watchRun(run =>
        train({
          ...trainOptionsOf(recipe),
          ...run,
          runs: flags.runs,
          command: `genserve ${process.argv.slice(2).join(' ')}`,
          engine,
        }),
      );
      await finishRun(result, flags, exportOptionsOf(recipe));
      if (flags.export && result.finished) say(`serve it: genserve serve --models ${flags.out}`);
    });
  return withEngine(command);
}

const examples = `
Examples:
  $ genserve train --family vae --data mnist --minutes 20
  $ genserve train --family vae --data photos/ --set data.size=32 --steps 20000 --name my-photos
  $ genserve train --config recipes/vae.yaml --seed 1 --set training.batch=128

Ctrl-C saves a checkpoint; \`genserve resume runs/<name>\` goes on from it.
`;
