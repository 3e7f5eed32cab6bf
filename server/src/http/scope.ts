// One HTTP request while it is answered: its id, and the signal that ends with its connection or its deadline.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { GenserveError, invalid, type Reason } from '@genserve/runtime';
import type { Admission, Admitted } from '../access/admission.js';
import { anonymousGuest, type Caller } from '../access/caller.js';
import type { StepEvent } from '../observer.js';
import { requestIdOf } from '../request-id.js';
import { priorityHeader, type RequestScope, readPriority } from '../request-scope.js';
import type { WatchRequest } from '../telemetry/requests.js';
import type { Services } from '../verbs/verb.js';

/** Seconds, e.g. "2.5": after which the caller has no use for the answer. */
export const timeoutHeader = 'X-Request-Timeout';

const longestTimerMs = 2 ** 31 - 1;

/** What is known of a request while it is answered. */
interface Locals {
  requestId?: string;
  /** Of an admitted request. */
  caller?: Caller;
  services?: Services;
  /** Told of each of its steps, where anybody listens. */
  onStep?: (step: StepEvent) => void;
  /** The rpc that it is, where it is one. */
  method?: string;
  /** Why it failed. */
  reason?: Reason;
}

/** The answer to a request, whether Express serves it or not: Express keeps `locals` in the same place. */
export type Answer = ServerResponse & { locals: Locals };

/** Gives a request its id, and tells those who watch requests of it. */
export function begin(request: IncomingMessage, response: ServerResponse, watch: WatchRequest): Answer {
  const requestId = requestIdOf(headerOf(request, 'x-request-id'));
  const answer = Object.assign(response, { locals: { requestId } as Locals });
  answer.setHeader('X-Request-Id', requestId);
  const watched = watch({
    transport: 'http',
    requestId,
    traceparent: headerOf(request, 'traceparent'),
    tracestate: headerOf(request, 'tracestate'),
  });
  if (watched !== undefined) {
    answer.locals.onStep = watched.onStep;
    answer.once('close', () => watched.end(endOf(request, answer)));
  }
  return answer;
}

/** Of one that may come but once: Node joins others with commas. */
export function headerOf(request: IncomingMessage, name: string): string | undefined {
  return request.headers[name]?.toString();
}

function endOf(request: IncomingMessage & { route?: { path?: unknown } }, response: Answer) {
  const { method, caller, reason } = response.locals;
  // A route of Express has a pattern; paths themselves would be too many names.
  const route = request.route?.path;
  const kind = request.method ?? '';
  const name = method ?? (typeof route === 'string' ? `${kind} ${route}` : kind);
  const outcome = response.writableFinished ? (reason ?? 'OK') : 'CANCELLED';
  return { method: name, caller: caller?.name ?? '', status: response.statusCode, reason: outcome } as const;
}

/** Lets a request in, as its caller: `servicesOf` knows it from here on. At once where no credentials are asked for. */
export function admit(request: IncomingMessage, response: Answer, admission: Admission): void | Promise<void> {
  const admitted = admission.admit({
    authorization: request.headers.authorization,
    apiKey: headerOf(request, 'x-api-key'),
  });
  const enter = ({ caller, services }: Admitted) => void Object.assign(response.locals, { caller, services });
  return admitted instanceof Promise ? admitted.then(enter) : enter(admitted);
}

/** What the caller of an admitted request may work with. */
export function servicesOf({ locals: { services } }: Answer): Services {
  if (services === undefined) throw new GenserveError('INTERNAL', 'a request was answered before it was admitted');
  return services;
}

/** Its signal is aborted when the caller hangs up before the answer is complete, or at its deadline. */
export function scopeOf(request: IncomingMessage, response: Answer): RequestScope {
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
  const { requestId = '', caller = anonymousGuest, onStep } = response.locals;
  return {
    requestId,
    caller,
    signal: controller.signal,
    onEnd,
    onStep,
    ...(timeoutMs !== undefined && { deadline: performance.now() + timeoutMs }),
    priority: readPriority(headerOf(request, priorityHeader)),
  };
}

function timeoutOf(request: IncomingMessage): number | undefined {
  const header = headerOf(request, timeoutHeader.toLowerCase());
  if (header === undefined) return undefined;
  const seconds = Number(header);
  if (!(seconds > 0)) throw invalid(timeoutHeader, `must be seconds above 0, was "${header}"`);
  return Math.min(longestTimerMs, seconds * 1000);
}
