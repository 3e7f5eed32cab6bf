// The HTTP side of the server: the express application, its socket, and its end.
import { createServer, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { GenserveError, invalid } from '@genserve/runtime';
import express, { type Express } from 'express';
import { readTls } from '../access/tls.js';
import type { Entrance } from '../entrance.js';
import type { Gauges } from '../observer.js';
import type { Settings } from '../options.js';
import type { Readiness } from '../readiness.js';
import type { Logger } from '../telemetry/log.js';
import type { Metrics } from '../telemetry/metrics.js';
import type { Services } from '../verbs/verb.js';
import { bundleRouter } from './bundle-routes.js';
import { compressed } from './compressed.js';
import { errorHandler, sendError } from './errors.js';
import { cors, securityHeaders } from './headers.js';
import { healthRouter } from './health-routes.js';
import { inferenceRouter } from './inference-routes.js';
import { openApiDocument } from './openapi.js';
import { pages } from './pages.js';
import { repositoryRouter } from './repository-routes.js';
import { admitting, watching } from './scope.js';
import { telemetryRouter } from './telemetry-routes.js';
import { verbRouter } from './verb-routes.js';

export interface HttpServer {
  readonly port: number;
  /** Tells callers, with each answer, not to use their connection again. */
  announceEnd(): void;
  /** Takes no new connections and waits for the requests under way. */
  drain(): Promise<void>;
  /** Ends all connections. */
  close(): void;
}

export interface HttpParts {
  readonly services: Services;
  readonly entrance: Entrance;
  readonly readiness: Readiness;
  readonly metrics: Metrics | undefined;
  readonly gauges: Gauges;
  readonly log: Logger;
}

export function createApp(parts: HttpParts, settings: Settings): Express {
  const { services, entrance, readiness, metrics, gauges, log } = parts;
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  app.use(watching(entrance.watch));
  app.use(securityHeaders({ isolate: settings.isolate, secure: settings.tls.certificate !== undefined }));
  if (settings.cors) app.use(cors);
  if (settings.compress) app.use(compressed());
  app.use(healthRouter(readiness));
  app.use(['/v1', '/v2', '/bundles', '/metrics', '/status.json'], admitting(entrance.admission));
  app.use(verbRouter());
  app.use(inferenceRouter());
  app.use(repositoryRouter());
  app.use(bundleRouter());
  app.use(telemetryRouter(metrics, gauges));
  app.get('/openapi.json', (_request, response) => {
    response.json(openApiDocument());
  });
  app.use(pages(settings.playground, services.repository));
  app.use((request, response) => {
    sendError(request, response, invalid('path', `there is no ${request.path}; see /openapi.json`), 404);
  });
  app.use(errorHandler((error, requestId) => log.error({ requestId, err: error.cause ?? error }, error.message)));
  return app;
}

/** A caller sends its headers, then its whole request, within these; connections wait this long for another request. */
const patience = {
  headersTimeout: 10_000,
  requestTimeout: 120_000,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 5_000,
};

export async function startHttp(parts: HttpParts, settings: Settings): Promise<HttpServer> {
  const app = createApp(parts, settings);
  const options = { ...patience, maxHeaderSize: settings.limits.maxHeaderBytes };
  const tls = await readTls(settings.tls);
  const server = tls === undefined ? createServer(options, app) : createSecureServer({ ...options, ...tls }, app);
  const { host, httpPort } = settings;
  await listen(server, host, httpPort);
  return {
    // A TCP server that listens has such an address.
    port: (server.address() as AddressInfo).port,
    announceEnd: () => {
      server.prependListener('request', (_request, response) => response.setHeader('Connection', 'close'));
    },
    drain: () =>
      new Promise(resolve => {
        server.keepAliveTimeout = 1;
        // Right after the event loop has accepted whoever is at the door: those whom the system holds there would be cut off.
        setImmediate(() => {
          server.close(() => resolve());
          server.closeIdleConnections();
        });
      }),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', cause => {
      const message = `HTTP cannot listen on ${host}:${port}: ${cause.message}; choose another with --http`;
      reject(new GenserveError('CONFIGURATION_INVALID', message, { field: 'httpPort', cause }));
    });
    server.listen(port, host, resolve);
  });
}
