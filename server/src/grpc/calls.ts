// Verbs as gRPC handlers: deadline and cancellation become the signal, thrown errors become status.
import type { EventEmitter } from 'node:events';
import { GenserveError, grpcCode } from '@genserve/runtime';
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  type ServerUnaryCall,
  type ServerWritableStream,
} from '@grpc/grpc-js';
import type { Entrance } from '../entrance.js';
import { publicError } from '../errors.js';
import { requestIdOf } from '../request-id.js';
import { priorityHeader, type RequestScope, readPriority } from '../request-scope.js';
import type { Services, Verb } from '../verbs/verb.js';
import { statusOf } from './status.js';

const longestTimerMs = 2 ** 31 - 1;

/** What a call carries besides its message; its caller is known once it is admitted. */
export interface CallScope extends Omit<RequestScope, 'caller'> {
  /** To be called right before the first message, so that both leave together; a failed call has them in its status. */
  sendHeaders(): void;
  /** To be called when the call is over, with what went wrong, if anything. */
  close(error?: unknown): void;
}

/** What the calls of all kinds have. */
type AnyCall = Pick<ServerUnaryCall<unknown, unknown>, 'getDeadline' | 'getPath' | 'metadata' | 'sendMetadata'> &
  EventEmitter;

export function openScope(call: AnyCall, { watch, log }: Entrance): CallScope {
  const controller = new AbortController();
  const end = (reason: 'CANCELLED' | 'DEADLINE_EXCEEDED', message: string) =>
    controller.abort(new GenserveError(reason, message));
  call.on('cancelled', () => end('CANCELLED', 'the caller cancelled the call'));
  const leftMs = Number(call.getDeadline()) - Date.now();
  const bounded = Number.isFinite(leftMs);
  const timer = bounded
    ? setTimeout(
        () => end('DEADLINE_EXCEEDED', 'the deadline of the call passed'),
        Math.min(longestTimerMs, Math.max(0, leftMs)),
      )
    : undefined;
  const atEnd: (() => void)[] = [() => clearTimeout(timer)];
  const text = (name: string) => call.metadata.get(name)[0]?.toString();
  const requestId = requestIdOf(text('x-request-id'));
  const watched = watch({
    transport: 'grpc',
    requestId,
    traceparent: text('traceparent'),
    tracestate: text('tracestate'),
  });
  return {
    requestId,
    signal: controller.signal,
    ...(bounded && { deadline: performance.now() + leftMs }),
    ...(watched && { onStep: watched.onStep }),
    // Read where what it throws becomes the call's status.
    get priority() {
      return readPriority(text(priorityHeader));
    },
    onEnd: listener => void atEnd.push(listener),
    sendHeaders: () => {
      const metadata = new Metadata();
      metadata.set('x-request-id', requestId);
      call.sendMetadata(metadata);
    },
    close: error => {
      for (const listener of atEnd.splice(0)) listener();
      const reason = error === undefined ? 'OK' : publicError(error).reason;
      if (reason === 'INTERNAL') log.error({ requestId, err: error }, 'a call failed');
      const status = reason === 'OK' ? 0 : grpcCode(reason);
      watched?.end({ method: call.getPath(), caller: callers.get(call) ?? '', status, reason });
    },
  };
}

const callers = new WeakMap<object, string>();

/** Lets the call in, as its caller. @throws UNAUTHENTICATED, OVERLOADED */
export async function admit(
  call: AnyCall,
  scope: CallScope,
  { admission }: Entrance,
): Promise<{ scope: RequestScope; services: Services }> {
  const text = (name: string) => call.metadata.get(name)[0]?.toString();
  const { caller, services } = await admission.admit({
    authorization: text('authorization'),
    apiKey: text('x-api-key'),
  });
  callers.set(call, caller.name);
  return { scope: { ...scope, caller }, services };
}

/** The message, or the error that its bytes were (see `decodingSafely`). */
export function messageOf<Request>({ request }: { readonly request: Request }): Request {
  const message: unknown = request;
  if (message instanceof GenserveError) throw message;
  return request;
}

export function unary<Request, Response>(
  entrance: Entrance,
  answer: (request: Request, scope: RequestScope, services: Services) => Promise<Response>,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    const opened = openScope(call, entrance);
    const answered = async (): Promise<Response> => {
      const { scope, services } = await admit(call, opened, entrance);
      return answer(messageOf(call), scope, services);
    };
    answered().then(
      response => {
        opened.sendHeaders();
        callback(null, response);
        opened.close();
      },
      error => {
        callback(statusOf(error, opened.requestId));
        opened.close(error);
      },
    );
  };
}

export function unaryVerb<Request, Response>(
  verb: Verb<Request, Response>,
  entrance: Entrance,
): handleUnaryCall<Request, Response> {
  return unary(entrance, async (request, scope, services) => {
    for await (const response of verb.answer(request, { services, ...scope })) return response;
    throw new GenserveError('INTERNAL', `${verb.name} gave no answer`);
  });
}

/** Sends parts as fast as the caller takes them. */
export function streamingVerb<Request, Response>(
  verb: Verb<Request, Response>,
  entrance: Entrance,
): handleServerStreamingCall<Request, Response> {
  return async call => {
    const opened = openScope(call, entrance);
    try {
      const { scope, services } = await admit(call, opened, entrance);
      let begun = false;
      for await (const part of verb.answer(messageOf(call), { services, ...scope })) {
        if (!begun) opened.sendHeaders();
        begun = true;
        if (!call.write(part)) await drained(call, scope.signal);
      }
      call.end();
      opened.close();
    } catch (error) {
      call.emit('error', statusOf(error, opened.requestId));
      opened.close(error);
    }
  };
}

function drained(call: ServerWritableStream<unknown, unknown>, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      call.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    call.on('drain', done);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}

/**
 * The same service, except that bytes which are no message, or too many, reach the handler as our error instead of
 * ending the call as INTERNAL. `messageOf` throws it.
 */
export function decodingSafely<Service extends Record<string, { requestDeserialize(bytes: Buffer): unknown }>>(
  service: Service,
  maxBytes: number,
): Service {
  const safe = Object.entries(service).map(([name, method]) => {
    const requestDeserialize = (bytes: Buffer): unknown => {
      if (bytes.length > maxBytes) {
        const message = `the message has ${bytes.length} bytes; this server takes ${maxBytes}`;
        return new GenserveError('PAYLOAD_TOO_LARGE', message, { field: 'body' });
      }
      try {
        return method.requestDeserialize(bytes);
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : 'not decodable';
        return new GenserveError('INVALID_ARGUMENT', `the message cannot be decoded: ${why}`, { field: 'body', cause });
      }
    };
    return [name, { ...method, requestDeserialize }];
  });
  // The same keys and methods; only the result of decoding has become wider.
  return Object.fromEntries(safe) as Service;
}
