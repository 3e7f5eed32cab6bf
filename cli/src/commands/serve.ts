// `genserve serve`: the server, with the playground page at / where it is built.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { positiveInteger, wholeNumber } from '../options.js';
import { paint, say } from '../output.js';

interface Flags {
  readonly models: string;
  readonly host: string;
  readonly http: number;
  readonly grpc: number;
  readonly executors?: number;
  readonly threads?: number;
  readonly playground?: string;
}

export function serveCommand(): Command {
  return new Command('serve')
    .description('serve the bundles of a folder over HTTP and gRPC')
    .option('--models <folder>', 'model repository: <name>/<version>/', 'models')
    .option('--host <address>', 'address to listen on; 0.0.0.0 for all', '127.0.0.1')
    .option('--http <port>', 'HTTP port; 0 = any free one', wholeNumber, 8080)
    .option('--grpc <port>', 'gRPC port; 0 = any free one', wholeNumber, 50051)
    .option('--executors <count>', 'processes that run models', positiveInteger)
    .option('--threads <count>', 'threads of each', positiveInteger)
    .option('--playground <folder>', 'page to serve at /; the one built in this repository when absent')
    .addHelpText('after', '\nExample:\n  $ genserve serve --models models --http 8080 --grpc 50051\n')
    .action(async (flags: Flags) => {
      const { closeOnSignals, startServer } = await import('@genserve/server');
      const { executors: count, threads } = flags;
      const playground = flags.playground ?? builtPlayground();
      const server = await startServer({
        models: flags.models,
        host: flags.host,
        httpPort: flags.http,
        grpcPort: flags.grpc,
        ...(playground !== undefined && { playground }),
        executors: { ...(count !== undefined && { count }), ...(threads !== undefined && { threads }) },
      });
      closeOnSignals(server);
      const address = `http://${flags.host}:${server.httpPort}`;
      say(`${paint('bold', 'genserve')} at ${address}, gRPC at ${flags.host}:${server.grpcPort}`);
      await server.loaded;
      say(server.exampleCalls());
      // Kept alive by its sockets; closeOnSignals ends the process.
      await new Promise<never>(() => undefined);
    });
}

/** The playground's folder in this repository, where `npm run build` has put it. */
function builtPlayground(): string | undefined {
  const folder = fileURLToPath(new URL('../../../playground/dist', import.meta.url));
  return existsSync(`${folder}/index.html`) ? folder : undefined;
}
