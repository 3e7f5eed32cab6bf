// The HTTP side of the server: the express application, its socket, and its end.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GenserveError, invalid } from '@genserve/runtime';
import express, { type Express } from 'express';
import type { Settings } from '../options.js';
import type { Readiness } from '../readiness.js';
import type { Services } from '../verbs/verb.js';
import { bundleRouter } from './bundle-routes.js';
import { errorHandler, sendError } from './errors.js';
import { cors, securityHeaders } from './headers.js';
import { healthRouter } from './health-routes.js';
import { inferenceRouter } from './inference-routes.js';
import { openApiDocument } from './openapi.js';
import { pages } from './pages.js';
import { repositoryRouter } from './repository-routes.js';
import { requestIds } from './scope.js';
import { verbRouter } from './verb-routes.js';

export interface HttpServer {
  readonly port: number;
  /** Takes no new connections and waits for the requests under way. */
  drain(): Promise<void>;
  /** Ends all connections. */
  close(): void;
}

export function createApp(services: Services, readiness: Readiness, settings: Settings): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  app.use(requestIds, securityHeaders(settings.isolate));
  if (settings.cors) app.use(cors);
  app.use(healthRouter(readiness));
  app.use(verbRouter(services));
  app.use(inferenceRouter(services));
  app.use(repositoryRouter(services));
  app.use(bundleRouter(services.repository));
  app.get('/openapi.json', (_request, response) => {
    response.json(openApiDocument());
  });
  app.use(pages(settings.playground, services.repository));
  app.use((request, response) => {
    sendError(request, response, invalid('path', `there is no ${request.path}; see /openapi.json`), 404);
  });
  app.use(errorHandler((error, requestId) => console.error(`request ${requestId}:`, error.cause ?? error)));
  return app;
}

export async function startHttp(services: Services, readiness: Readiness, settings: Settings): Promise<HttpServer> {
  const server = createServer(createApp(services, readiness, settings));
  const { host, httpPort } = settings;
  await listen(server, host, httpPort);
  return {
    // A TCP server that listens has such an address.
    port: (server.address() as AddressInfo).port,
    drain: () =>
      new Promise(resolve => {
        // Callers are told not to use their connection again, and those that become idle end at once.
        server.prependListener('request', (_request, response) => response.setHeader('Connection', 'close'));
        server.keepAliveTimeout = 1;
        server.close(() => resolve());
        server.closeIdleConnections();
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
