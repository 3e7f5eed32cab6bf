// What an operator looks at: /metrics for Prometheus, /status.json and the page /status that shows it.
import { Router } from 'express';
import type { Gauges } from '../observer.js';
import { residentBytes } from '../telemetry/memory.js';
import type { Metrics } from '../telemetry/metrics.js';
import { servicesOf } from './scope.js';
import { snakeCased } from './snake-case.js';
import { statusPage, statusScript } from './status-page.js';

export function telemetryRouter(metrics: Metrics | undefined, gauges: Gauges): Router {
  const router = Router();
  if (metrics !== undefined) {
    router.get('/metrics', async (_request, response) => {
      const { contentType, text } = await metrics.collect();
      response.set('Content-Type', contentType).send(text);
    });
  }
  router.get('/status.json', (_request, response) => {
    const { repository, statistics } = servicesOf(response);
    const models = repository.index().map(({ name, version, state, reason }) => ({ name, version, state, reason }));
    const served = new Set(repository.names());
    const { executors, queuedSteps, queuedBytes, executorPids } = gauges;
    response.set('Cache-Control', 'no-store').json({
      uptimeSeconds: process.uptime(),
      memory: { frontBytes: process.memoryUsage.rss(), executorsBytes: residentBytes(executorPids) },
      queue: { steps: queuedSteps, bytes: queuedBytes },
      executors,
      models,
      statistics: snakeCased(statistics.of('', 0).filter(({ name }) => served.has(name.split('.', 1)[0] ?? ''))),
    });
  });
  router.get('/status', (_request, response) => {
    response.set('Cache-Control', 'no-cache').type('text/html').send(statusPage);
  });
  router.get('/status.js', (_request, response) => {
    response.set('Cache-Control', 'no-cache').type('text/javascript').send(statusScript);
  });
  return router;
}
