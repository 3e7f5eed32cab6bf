// A real server over real bundles, on free ports of the loopback address.
import { type GenserveServer, type ServerOptions, startServer } from '@genserve/server';
import { models } from './paths.js';

export interface ServedModels extends AsyncDisposable {
  readonly server: GenserveServer;
  readonly url: string;
  readonly grpcAddress: string;
}

/** Starts a server and waits until its models are ready. `await using` closes it. */
export async function serve(options: ServerOptions = {}): Promise<ServedModels> {
  const server = await startServer({ models, httpPort: 0, grpcPort: 0, telemetry: { logLevel: 'error' }, ...options });
  await server.loaded;
  return {
    server,
    url: `http://127.0.0.1:${server.httpPort}/`,
    grpcAddress: `127.0.0.1:${server.grpcPort}`,
    [Symbol.asyncDispose]: () => server.close(),
  };
}
