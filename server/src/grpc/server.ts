// The gRPC side of the server: genserve.v1, health, and the Open Inference Protocol.
import { generator, health, inference } from '@genserve/proto/wire';
import { GenserveError } from '@genserve/runtime';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { Readiness } from '../readiness.js';
import * as verbs from '../verbs/table.js';
import type { Services } from '../verbs/verb.js';
import { decodingSafely, streamingVerb, unaryVerb } from './calls.js';
import { healthService } from './health.js';
import { inferenceHandlers } from './inference.js';

export interface GrpcServer {
  readonly port: number;
  /** Takes no new calls and waits for those under way. */
  drain(): Promise<void>;
  /** Ends all calls. */
  close(): void;
}

const services = ['genserve.v1.GeneratorService', 'inference.GRPCInferenceService'];

export async function startGrpc(
  app: Services,
  readiness: Readiness,
  { host, port }: { host: string; port: number },
): Promise<GrpcServer> {
  const { maxBodyBytes } = app.limits;
  const server = new Server({
    // Beyond our own limit, so that a message that is too large hears why; twice of it is cut off by the library.
    'grpc.max_receive_message_length': 2 * maxBodyBytes,
    'grpc.max_send_message_length': -1,
  });
  server.addService(decodingSafely(generator.GeneratorServiceService, maxBodyBytes), generatorHandlers(app));
  server.addService(
    decodingSafely(inference.GRPCInferenceServiceService, maxBodyBytes),
    inferenceHandlers(app, readiness),
  );
  server.addService(
    health.HealthService,
    healthService(readiness, service => {
      if (service === '' || services.includes(service)) return readiness.ready;
      return app.repository.versions(service).length === 0
        ? undefined
        : readiness.ready && app.repository.entry(service, 0).state === 'ready';
    }),
  );
  return {
    port: await bind(server, host, port),
    drain: () => new Promise(resolve => server.tryShutdown(() => resolve())),
    close: () => server.forceShutdown(),
  };
}

function generatorHandlers(app: Services): generator.GeneratorServiceServer {
  return {
    listModels: unaryVerb(verbs.listModels, app),
    getModel: unaryVerb(verbs.getModel, app),
    sample: streamingVerb(verbs.sample, app),
    generate: streamingVerb(verbs.generate, app),
    scoreLikelihood: unaryVerb(verbs.scoreLikelihood, app),
    scoreAnomaly: unaryVerb(verbs.scoreAnomaly, app),
    encode: unaryVerb(verbs.encode, app),
    reconstruct: unaryVerb(verbs.reconstruct, app),
  };
}

function bind(server: Server, host: string, port: number): Promise<number> {
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) return resolve(bound);
      const message = `gRPC cannot listen on ${address}: ${error.message}; choose another with --grpc`;
      return reject(new GenserveError('CONFIGURATION_INVALID', message, { field: 'grpcPort', cause: error }));
    });
  });
}
