// `genserve serve`: the server, with the playground page at / where it is built.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { GenserveError } from '@genserve/runtime';
import { Command } from 'commander';
import { collect, positiveInteger, wholeNumber } from '../options.js';
import { paint, say } from '../output.js';
import { gatherOptions } from '../serve-options.js';

interface Flags {
  readonly models?: string;
  readonly config?: string;
  readonly set?: string[];
  readonly host?: string;
  readonly http?: number;
  readonly grpc?: number;
  readonly control?: string;
  readonly executors?: number;
  readonly threads?: number;
  readonly playground?: string;
}

export function serveCommand(): Command {
  return new Command('serve')
    .description('serve the bundles of a folder over HTTP and gRPC')
    .option('--models <folder>', 'model repository: <name>/<version>/ (models)')
    .option('--host <address>', 'address to listen on; 0.0.0.0 for all (127.0.0.1)')
    .option('--http <port>', 'HTTP port; 0 = any free one (8080)', wholeNumber)
    .option('--grpc <port>', 'gRPC port; 0 = any free one (50051)', wholeNumber)
    .option('--executors <count>', 'processes that run models', positiveInteger)
    .option('--threads <count>', 'threads of each', positiveInteger)
    .option('--control <how>', 'none: models as they are at the start; poll: and as they change; explicit: by request')
    .option('--config <file>', 'YAML with any options; GENSERVE_EXECUTORS_COUNT=2 in the environment wins over it')
    .option('--set <option=value>', 'any option, e.g. queue.maxSteps=100; may be given several times', collect)
    .option('--playground <folder>', 'page to serve at /; the one built in this repository when absent')
    .addHelpText('after', '\nExample:\n  $ genserve serve --models models --http 8080 --grpc 50051\n')
    .action(async (flags: Flags) => {
      const { closeOnSignals, optionPaths, startServer } = await import('@genserve/server');
      const options = gatherOptions(
        {
          file: flags.config === undefined ? undefined : await readConfig(flags.config),
          environment: process.env,
          set: flags.set,
          flags: {
            models: flags.models,
            host: flags.host,
            httpPort: flags.http,
            grpcPort: flags.grpc,
            playground: flags.playground,
            'executors.count': flags.executors,
            'executors.threads': flags.threads,
            'repository.control': flags.control,
          },
        },
        optionPaths,
      );
      const playground = builtPlayground();
      const server = await startServer({ ...(playground !== undefined && { playground }), ...options });
      closeOnSignals(server);
      const { host } = server.settings;
      say(`configuration ${JSON.stringify(server.settings)}`);
      say(`${paint('bold', 'genserve')} at http://${host}:${server.httpPort}, gRPC at ${host}:${server.grpcPort}`);
      await server.loaded;
      say(server.exampleCalls());
      // Kept alive by its sockets; closeOnSignals ends the process.
      await new Promise<never>(() => undefined);
    });
}

/** @throws GenserveError CONFIGURATION_INVALID */
async function readConfig(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new GenserveError('CONFIGURATION_INVALID', `config: ${path} cannot be read`, { field: 'config', cause });
  }
}

/** The playground's folder in this repository, where `npm run build` has put it. */
function builtPlayground(): string | undefined {
  const folder = fileURLToPath(new URL('../../../playground/dist', import.meta.url));
  return existsSync(`${folder}/index.html`) ? folder : undefined;
}
