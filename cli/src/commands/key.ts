// `genserve key`: an API key for the server, shown once and kept as its hash.
import { Command } from 'commander';
import { collect, positiveInteger } from '../options.js';
import { print, say } from '../output.js';

interface Flags {
  readonly file: string;
  readonly model?: string[];
  readonly admin?: boolean;
  readonly perMinute?: number;
}

export function keyCommand(): Command {
  return new Command('key')
    .description('make an API key for callers of the server')
    .argument('<name>', 'who it is for, as logs will call them')
    .option('--file <keys.json>', 'where its hash and rights are kept', 'keys.json')
    .option('--model <name>', 'may use this model, with * for any characters; all when absent; several times', collect)
    .option('--admin', 'may load and unload models')
    .option('--per-minute <count>', 'requests that are answered in a minute', positiveInteger)
    .addHelpText(
      'after',
      '\nExample:\n  $ genserve key camera --model "mnist-*" --per-minute 600\n  $ genserve serve --set access.keys=keys.json\n',
    )
    .action(async (name: string, { file, model: models, admin = false, perMinute: requestsPerMinute }: Flags) => {
      const { addKey } = await import('@genserve/server');
      const rights = { ...(models && { models }), ...(requestsPerMinute !== undefined && { requestsPerMinute }) };
      print(await addKey(file, { name, admin, ...rights }));
      say(`The key of ${name} is shown this once; ${file} keeps its hash. Callers send it as X-Api-Key.`);
    });
}
