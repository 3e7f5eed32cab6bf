// The server: executors, repository, scheduler, HTTP and gRPC, put together and taken down in order.
import { GenserveError } from '@genserve/runtime';
import { ExecutorPool } from './executor/pool.js';
import { threadsPerExecutor } from './executor/threads.js';
import { startGrpc } from './grpc/server.js';
import { exampleCalls } from './http/pages.js';
import { startHttp } from './http/server.js';
import { parseOptions, type ServerOptions } from './options.js';
import { Readiness } from './readiness.js';
import type { ServedModel } from './repository/model.js';
import { type ModelState, Repository } from './repository/repository.js';
import { warmUpGraphs } from './repository/warm-up.js';
import { Scheduler } from './scheduler/scheduler.js';
import type { Services } from './verbs/verb.js';

export interface GenserveServer {
  readonly httpPort: number;
  readonly grpcPort: number;
  /** Process ids of the executors. */
  readonly executors: readonly number[];
  /** Settles when every bundle has been loaded, or found wanting. */
  readonly loaded: Promise<void>;
  /** Every version of every model, as it is now. */
  models(): readonly ModelStatus[];
  /** Commands to try, for the first model that is ready. */
  exampleCalls(): string;
  /** Not ready, no new requests, what is under way is finished (`drainMs` at most), then the end. */
  close(): Promise<void>;
}

export interface ModelStatus {
  readonly name: string;
  readonly version: number;
  readonly state: ModelState;
  /** Why it is unavailable; '' otherwise. */
  readonly reason: string;
}

/** Listens at once; models become ready one after another. @throws GenserveError CONFIGURATION_INVALID */
export async function startServer(options: ServerOptions = {}): Promise<GenserveServer> {
  const settings = parseOptions(options);
  const { executors, batching, queue, limits, host, drainMs } = settings;
  const readiness = new Readiness();
  const pool = new ExecutorPool<ServedModel>({
    ...executors,
    threads: executors.threads ?? threadsPerExecutor(executors.count),
  });
  const scheduler = new Scheduler<ServedModel>(pool, {
    ...batching,
    maxQueuedSteps: queue.maxSteps,
    maxQueuedBytes: queue.maxBytes,
    patienceMs: executors.hangTimeoutMs,
  });
  const runnerFor = (model: ServedModel) => scheduler.runnerFor(model);
  const repository = new Repository({
    folder: settings.models,
    prepare: async model => {
      for (const graph of warmUpGraphs(model)) await pool.prepare(model, graph);
    },
    runnerFor,
    onChange: () => readiness.changed(),
  });
  const services: Services = { repository, limits, runnerFor };
  let http: Awaited<ReturnType<typeof startHttp>> | undefined;
  let grpc: Awaited<ReturnType<typeof startGrpc>> | undefined;
  try {
    await repository.scan();
    http = await startHttp(services, readiness, settings);
    grpc = await startGrpc(services, readiness, { host, port: settings.grpcPort });
  } catch (error) {
    http?.close();
    await pool.close();
    throw error;
  }
  const [httpSide, grpcSide] = [http, grpc];
  const loaded = repository.loadAll().then(() => {
    readiness.ready = true;
  });

  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    readiness.ready = false;
    await Promise.race([Promise.all([httpSide.drain(), grpcSide.drain()]), pause(drainMs)]);
    httpSide.close();
    grpcSide.close();
    await pool.close();
  };
  return {
    httpPort: httpSide.port,
    grpcPort: grpcSide.port,
    get executors() {
      return pool.pids;
    },
    loaded,
    models: () =>
      repository
        .names()
        .flatMap(name => repository.versions(name))
        .map(({ name, version, state, reason }) => ({ name, version, state, reason })),
    exampleCalls: () => exampleCalls(`http://${host}:${httpSide.port}`, repository),
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

/** Signals closer together are one: Ctrl-C reaches a whole process group, and wrappers pass it on once more. */
const sameSignalMs = 1000;

/** Ends the server, then the process, at SIGTERM or SIGINT; at a second signal at once. */
export function closeOnSignals(server: GenserveServer): void {
  let endingSince: number | undefined;
  const end = (): void => {
    if (endingSince !== undefined) {
      if (performance.now() - endingSince > sameSignalMs) process.exit(130);
      return;
    }
    endingSince = performance.now();
    server.close().then(
      () => process.exit(0),
      error => {
        console.error(GenserveError.from(error).message);
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, milliseconds).unref());
}
