// One HTTP request while it is answered: its id, and the signal that ends with its connection or its deadline.
import { GenserveError, invalid } from '@genserve/runtime';
import type { Request, RequestHandler, Response } from 'express';
import type { Admission, Admitted } from '../access/admission.js';
import { requestIdOf } from '../request-id.js';
import { priorityHeader, type RequestScope, readPriority } from '../request-scope.js';
import type { WatchRequest } from '../telemetry/requests.js';
import type { Services } from '../verbs/verb.js';

/** Seconds, e.g. "2.5": after which the caller has no use for the answer. */
export const timeoutHeader = 'X-Request-Timeout';

const longestTimerMs = 2 ** 31 - 1;

/** Gives every request its id, and tells those who watch requests of it. */
export function watching(watch: WatchRequest): RequestHandler {
  return (request, response, next) => {
    const requestId = requestIdOf(request.get('X-Request-Id'));
    response.locals.requestId = requestId;
    response.set('X-Request-Id', requestId);
    const watched = watch({
      transport: 'http',
      requestId,
      traceparent: request.get('traceparent'),
      tracestate: request.get('tracestate'),
    });
    if (watched !== undefined) {
      response.locals.onStep = watched.onStep;
      response.once('close', () => watched.end(endOf(request, response)));
    }
    next();
  };
}

function endOf(request: Request, response: Response) {
  const { method, caller, reason } = response.locals;
  // A route of Express has a pattern; paths themselves would be too many names.
  const route: unknown = request.route?.path;
  const name = method ?? (typeof route === 'string' ? `${request.method} ${route}` : request.method);
  const outcome = response.writableFinished ? (reason ?? 'OK') : 'CANCELLED';
  return { method: name, caller: caller?.name ?? '', status: response.statusCode, reason: outcome };
}

/** Lets requests in, as their callers: `callerOf` and `servicesOf` know them from here on. */
export function admitting(admission: Admission): RequestHandler {
  return (request, response, next) => {
    const enter = ({ caller, services }: Admitted): void => {
      response.locals.caller = caller;
      response.locals.services = services;
      next();
    };
    const admitted = admission.admit({
      authorization: request.get('Authorization'),
      apiKey: request.get('X-Api-Key'),
    });
    if (admitted instanceof Promise) admitted.then(enter, next);
    else enter(admitted);
  };
}

/** What the caller of an admitted request may work with. */
export function servicesOf(response: Response): Services {
  return response.locals.services;
}

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
  const { requestId, caller, onStep } = response.locals;
  return {
    requestId,
    caller,
    signal: controller.signal,
    onEnd,
    onStep,
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
