// The HTTP side of the server: the express application, its socket, and its end.
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { GenserveError, invalid } from '@genserve/runtime';
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
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
import { findDirect, type Route } from './direct.js';
import { answerError, type Report, sendError } from './errors.js';
import { headersOfAnswers, preflight } from './headers.js';
import { healthRouter } from './health-routes.js';
import { inferenceRouter } from './inference-routes.js';
import { openApiDocument } from './openapi.js';
import { pages } from './pages.js';
import { repositoryRouter } from './repository-routes.js';
import { type Answer, admit, begin } from './scope.js';
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

/** Every request's way in: straight to its route where that carries the load, else through Express. */
function createListener(parts: HttpParts, settings: Settings): RequestListener {
  const { entrance, log } = parts;
  const report: Report = (error, requestId) => log.error({ requestId, err: error.cause ?? error }, error.message);
  const app = createApp(parts, settings, report);
  const headers = headersOfAnswers({ ...settings, secure: settings.tls.certificate !== undefined });
  const compress = settings.compress ? compressed() : undefined;
  const answer = async (route: Route, request: IncomingMessage, response: Answer): Promise<void> => {
    try {
      const admitted = admit(request, response, entrance.admission);
      if (admitted !== undefined) await admitted;
      await route(request, response);
    } catch (error) {
      answerError(error, request, response, report);
    }
  };
  return (request, bare) => {
    const response = begin(request, bare, entrance.watch);
    for (const [name, value] of headers) response.setHeader(name, value);
    const route = findDirect(request);
    if (route === undefined) app(request, response);
    else if (compress === undefined || request.headers['accept-encoding'] === undefined)
      void answer(route, request, response);
    else compress(request, response, () => void answer(route, request, response));
  };
}

function createApp(
  { services, entrance, readiness, metrics, gauges }: HttpParts,
  settings: Settings,
  report: Report,
): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  if (settings.cors) app.use(preflight);
  if (settings.compress) app.use(compressed());
  app.use(healthRouter(readiness));
  const admitting: RequestHandler = async (request, response, next) => {
    await admit(request, response, entrance.admission);
    next();
  };
  app.use(['/v1', '/v2', '/bundles', '/metrics', '/status.json'], admitting);
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
  // Four parameters make it Express's last handler.
  const failed: ErrorRequestHandler = (thrown, request, response, _next) =>
    answerError(thrown, request, response, report);
  app.use(failed);
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
  const listener = createListener(parts, settings);
  const options = { ...patience, maxHeaderSize: settings.limits.maxHeaderBytes };
  const tls = await readTls(settings.tls);
  const server =
    tls === undefined ? createServer(options, listener) : createSecureServer({ ...options, ...tls }, listener);
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
