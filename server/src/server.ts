// The server: executors, repository, scheduler, HTTP and gRPC, put together and taken down in order.
import { GenserveError, type Runner } from '@genserve/runtime';
import { createAdmission } from './access/admission.js';
import { publicError } from './errors.js';
import { ExecutorPool } from './executor/pool.js';
import { threadsPerExecutor } from './executor/threads.js';
import { gaugesOf } from './gauges.js';
import { startGrpc } from './grpc/server.js';
import { exampleCalls } from './http/pages.js';
import { startHttp } from './http/server.js';
import { Statistics } from './inference/statistics.js';
import { tellAll } from './observer.js';
import { parseOptions, type ServerOptions, type Settings } from './options.js';
import { Readiness } from './readiness.js';
import type { ModelState } from './repository/entries.js';
import { folderCatalogue } from './repository/folder-catalogue.js';
import type { ServedModel } from './repository/model.js';
import { Repository } from './repository/repository.js';
import { warmUpGraphs, warmUpOf } from './repository/warm-up.js';
import type { RequestScope } from './request-scope.js';
import { Scheduler } from './scheduler/scheduler.js';
import { createAudit } from './telemetry/log.js';
import { createTelemetry } from './telemetry/telemetry.js';
import type { Services } from './verbs/verb.js';

export interface GenserveServer {
  readonly httpPort: number;
  readonly grpcPort: number;
  /** What it was told, defaults included. */
  readonly settings: Settings;
  /** Process ids of the executors. */
  readonly executors: readonly number[];
  /** Settles when every bundle has been loaded, or found wanting. */
  readonly loaded: Promise<void>;
  /** Every version of every model, as it is now. */
  models(): readonly ModelStatus[];
  /** Commands to try, for the first model that is ready. */
  exampleCalls(): string;
  /** Not ready, no new requests, what is under way is finished (within limits), then the end. */
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
  const { executors, batching, queue, limits, host, drain } = settings;
  const readiness = new Readiness();
  const statistics = new Statistics();
  const telemetry = await createTelemetry(settings.telemetry);
  const observer = tellAll([statistics, ...telemetry.observers]);
  const pool = new ExecutorPool<ServedModel>({
    ...executors,
    threads: executors.threads ?? threadsPerExecutor(executors.count),
    onExecutor: observer.onExecutor,
  });
  const limitsOfQueue = { maxQueuedSteps: queue.maxSteps, maxQueuedBytes: queue.maxBytes, maxWaitMs: queue.maxWaitMs };
  const scheduler = new Scheduler<ServedModel>(
    pool,
    { ...batching, ...limitsOfQueue, patienceMs: executors.hangTimeoutMs },
    observer,
  );
  const repository = new Repository({
    ...settings.repository,
    catalogue: folderCatalogue(settings.models),
    loader: {
      prepare: model => pool.prepare(model, warmUpGraphs(model), warmUpOf(model)),
      unload: model => pool.unload(model),
    },
    onChange: () => readiness.changed(),
  });
  const runnerFor = (model: ServedModel, request: RequestScope): Runner => {
    model.hold();
    request.onEnd(() => model.release());
    return scheduler.runnerFor(model, request);
  };
  const gauges = gaugesOf(scheduler, pool);
  telemetry.metrics?.read(gauges);
  const audit = createAudit(telemetry.log, settings.access.auditLog);
  const services: Services = { repository, limits, statistics, audit, runnerFor };
  let http: Awaited<ReturnType<typeof startHttp>> | undefined;
  let grpc: Awaited<ReturnType<typeof startGrpc>> | undefined;
  try {
    await repository.scan();
    const entrance = { admission: await createAdmission(settings.access, services), ...telemetry };
    http = await startHttp({ services, entrance, readiness, gauges, ...telemetry }, settings);
    grpc = await startGrpc(services, entrance, readiness, settings);
  } catch (error) {
    http?.close();
    await pool.close();
    throw error;
  }
  const [httpSide, grpcSide] = [http, grpc];
  const scheme = settings.tls.certificate === undefined ? 'http' : 'https';
  let closing: Promise<void> | undefined;
  let polls: NodeJS.Timeout | undefined;
  const loaded = repository.loadAll().then(() => {
    readiness.ready = closing === undefined;
    if (settings.repository.control === 'poll') polls = pollEvery(settings.repository.pollMs, repository);
  });

  const close = async (): Promise<void> => {
    readiness.ready = false;
    clearInterval(polls);
    httpSide.announceEnd();
    if (drain.delayMs > 0) await pause(drain.delayMs);
    await Promise.race([Promise.all([httpSide.drain(), grpcSide.drain()]), pause(drain.limitMs)]);
    httpSide.close();
    grpcSide.close();
    await pool.close();
    await telemetry.close();
  };
  return {
    settings,
    httpPort: httpSide.port,
    grpcPort: grpcSide.port,
    get executors() {
      return pool.pids;
    },
    loaded,
    models: () => repository.index().map(({ name, version, state, reason }) => ({ name, version, state, reason })),
    exampleCalls: () => exampleCalls(`${scheme}://${host}:${httpSide.port}`, repository),
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

/** What cannot be listed now may be later: the models go on as they are. */
function pollEvery(milliseconds: number, repository: Repository): NodeJS.Timeout {
  let polling = false;
  const poll = async (): Promise<void> => {
    if (polling) return;
    polling = true;
    await repository.poll().catch(error => console.error(`models: ${publicError(error).message}`, error));
    polling = false;
  };
  return setInterval(() => void poll(), milliseconds).unref();
}

function pause(milliseconds: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, milliseconds).unref());
}
