// Verbs as gRPC handlers: deadline and cancellation become the signal, thrown errors become status.
import type { EventEmitter } from 'node:events';
import { GenserveError } from '@genserve/runtime';
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  type ServerUnaryCall,
  type ServerWritableStream,
} from '@grpc/grpc-js';
import { requestIdOf } from '../request-id.js';
import { priorityHeader, type RequestScope, readPriority } from '../request-scope.js';
import type { Services, Verb } from '../verbs/verb.js';
import { statusOf } from './status.js';

const longestTimerMs = 2 ** 31 - 1;

/** What a call carries besides its message. */
export interface CallScope extends RequestScope {
  readonly requestId: string;
  /** To be called when the call is over. */
  close(): void;
}

/** What the calls of all kinds have. */
type AnyCall = Pick<ServerUnaryCall<unknown, unknown>, 'getDeadline' | 'metadata' | 'sendMetadata'> & EventEmitter;

export function openScope(call: AnyCall): CallScope {
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
  const requestId = requestIdOf(call.metadata.get('x-request-id')[0]);
  const metadata = new Metadata();
  metadata.set('x-request-id', requestId);
  call.sendMetadata(metadata);
  return {
    requestId,
    signal: controller.signal,
    ...(bounded && { deadline: performance.now() + leftMs }),
    // Read where what it throws becomes the call's status.
    get priority() {
      return readPriority(call.metadata.get(priorityHeader)[0]?.toString());
    },
    onEnd: listener => void atEnd.push(listener),
    close: () => {
      for (const listener of atEnd.splice(0)) listener();
    },
  };
}

/** The message, or the error that its bytes were (see `decodingSafely`). */
export function messageOf<Request>({ request }: { readonly request: Request }): Request {
  const message: unknown = request;
  if (message instanceof GenserveError) throw message;
  return request;
}

export function unary<Request, Response>(
  answer: (request: Request, scope: CallScope) => Promise<Response>,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    const scope = openScope(call);
    Promise.resolve()
      .then(() => answer(messageOf(call), scope))
      .then(
        response => callback(null, response),
        error => callback(statusOf(error, scope.requestId)),
      )
      .finally(() => scope.close());
  };
}

export function unaryVerb<Request, Response>(
  verb: Verb<Request, Response>,
  services: Services,
): handleUnaryCall<Request, Response> {
  return unary(async (request, scope) => {
    for await (const response of verb.answer(request, { services, ...scope })) return response;
    throw new GenserveError('INTERNAL', `${verb.name} gave no answer`);
  });
}

export function streamingVerb<Request, Response>(
  verb: Verb<Request, Response>,
  services: Services,
): handleServerStreamingCall<Request, Response> {
  return call => {
    const scope = openScope(call);
    void stream(call, scope, () => verb.answer(messageOf(call), { services, ...scope })).finally(() => scope.close());
  };
}

/** Sends parts as fast as the caller takes them. */
async function stream<Request, Response>(
  call: ServerWritableStream<Request, Response>,
  { signal, requestId }: CallScope,
  parts: () => AsyncIterable<Response>,
): Promise<void> {
  try {
    for await (const part of parts()) {
      if (!call.write(part)) await drained(call, signal);
    }
    call.end();
  } catch (error) {
    call.emit('error', statusOf(error, requestId));
  }
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
