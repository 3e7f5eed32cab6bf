// Health over HTTP: 200 or 503, nothing else (contract, section 9).
import { type Response, Router } from 'express';
import type { Readiness } from '../readiness.js';
import { notAllowed } from './verb-routes.js';

export function healthRouter(readiness: Readiness): Router {
  const router = Router();
  const answer = (response: Response, name: string, value: boolean): void => {
    response.status(value ? 200 : 503).json({ [name]: value });
  };
  router
    .route(['/v2/health/live', '/healthz'])
    .get((_request, response) => answer(response, 'live', true))
    .all(notAllowed('GET'));
  router
    .route(['/v2/health/ready', '/readyz'])
    .get((_request, response) => answer(response, 'ready', readiness.ready))
    .all(notAllowed('GET'));
  return router;
}
