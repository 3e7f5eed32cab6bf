// The gRPC side of the server: genserve.v1, health, and the Open Inference Protocol.
import { generator, health, inference } from '@genserve/proto/wire';
import { GenserveError } from '@genserve/runtime';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { anonymousGuest } from '../access/caller.js';
import { readTls } from '../access/tls.js';
import type { Entrance } from '../entrance.js';
import type { Settings } from '../options.js';
import type { Readiness } from '../readiness.js';
import * as verbs from '../verbs/table.js';
import type { Services } from '../verbs/verb.js';
import { decodingSafely, streamingVerb, unaryVerb } from './calls.js';
import { healthService } from './health.js';
import { inferenceHandlers } from './inference.js';
import { reflection } from './reflection.js';

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
  entrance: Entrance,
  readiness: Readiness,
  settings: Settings,
): Promise<GrpcServer> {
  const { maxBodyBytes } = app.limits;
  const open: Entrance = { ...entrance, admission: { admit: () => ({ caller: anonymousGuest, services: app }) } };
  const server = new Server({
    // Beyond our own limit, so that a message that is too large hears why; twice of it is cut off by the library.
    'grpc.max_receive_message_length': 2 * maxBodyBytes,
    'grpc.max_send_message_length': -1,
  });
  server.addService(decodingSafely(generator.GeneratorServiceService, maxBodyBytes), generatorHandlers(entrance));
  server.addService(
    decodingSafely(inference.GRPCInferenceServiceService, maxBodyBytes),
    inferenceHandlers(entrance, open, readiness),
  );
  server.addService(
    decodingSafely(health.HealthService, maxBodyBytes),
    healthService(open, readiness, service => {
      if (service === '' || services.includes(service)) return readiness.ready;
      return app.repository.versions(service).length === 0
        ? undefined
        : readiness.ready && app.repository.entry(service, 0).state === 'ready';
    }),
  );
  reflection([...services, 'grpc.health.v1.Health']).addToServer(server);
  return {
    port: await bind(server, settings),
    drain: () => new Promise(resolve => server.tryShutdown(() => resolve())),
    close: () => server.forceShutdown(),
  };
}

function generatorHandlers(entrance: Entrance): generator.GeneratorServiceServer {
  return {
    listModels: unaryVerb(verbs.listModels, entrance),
    getModel: unaryVerb(verbs.getModel, entrance),
    sample: streamingVerb(verbs.sample, entrance),
    generate: streamingVerb(verbs.generate, entrance),
    scoreLikelihood: unaryVerb(verbs.scoreLikelihood, entrance),
    scoreAnomaly: unaryVerb(verbs.scoreAnomaly, entrance),
    encode: unaryVerb(verbs.encode, entrance),
    reconstruct: unaryVerb(verbs.reconstruct, entrance),
  };
}

async function bind(server: Server, { host, grpcPort: port, tls }: Settings): Promise<number> {
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  const files = await readTls(tls);
  const credentials =
    files === undefined
      ? ServerCredentials.createInsecure()
      : ServerCredentials.createSsl(
          files.ca ?? null,
          [{ cert_chain: files.cert, private_key: files.key }],
          files.requestCert,
        );
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, bound) => {
      if (error === null) return resolve(bound);
      const message = `gRPC cannot listen on ${address}: ${error.message}; choose another with --grpc`;
      return reject(new GenserveError('CONFIGURATION_INVALID', message, { field: 'grpcPort', cause: error }));
    });
  });
}
