// One HTTP request while it is answered: its id, and the signal that ends with its connection or its deadline.
import { GenserveError, invalid } from '@genserve/runtime';
import type { Request, RequestHandler, Response } from 'express';
import { requestIdOf } from '../request-id.js';
import { priorityHeader, type RequestScope, readPriority } from '../request-scope.js';

/** Seconds, e.g. "2.5": after which the caller has no use for the answer. */
export const timeoutHeader = 'X-Request-Timeout';

const longestTimerMs = 2 ** 31 - 1;

export const requestIds: RequestHandler = (request, response, next) => {
  response.locals.requestId = requestIdOf(request.get('X-Request-Id'));
  response.set('X-Request-Id', response.locals.requestId);
  next();
};

/** Its signal is aborted when the caller hangs up before the answer is complete, or at its deadline. */
export function scopeOf(request: Request, response: Response): RequestScope {
  const controller = new AbortController();
  const timeoutMs = timeoutOf(request);
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          const message = `the request took longer than the ${timeoutMs} ms that ${timeoutHeader} allows`;
          controller.abort(new GenserveError('DEADLINE_EXCEEDED', message));
        }, timeoutMs);
  const onEnd = (listener: () => void) => void response.once('close', listener);
  onEnd(() => {
    clearTimeout(timer);
    if (!response.writableFinished)
      controller.abort(new GenserveError('CANCELLED', 'the caller closed the connection'));
  });
  return {
    signal: controller.signal,
    onEnd,
    ...(timeoutMs !== undefined && { deadline: performance.now() + timeoutMs }),
    priority: readPriority(request.get(priorityHeader)),
  };
}

function timeoutOf(request: Request): number | undefined {
  const header = request.get(timeoutHeader);
  if (header === undefined) return undefined;
  const seconds = Number(header);
  if (!(seconds > 0)) throw invalid(timeoutHeader, `must be seconds above 0, was "${header}"`);
  return Math.min(longestTimerMs, seconds * 1000);
}
