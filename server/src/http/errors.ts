// Our errors as HTTP: status and {error: {reason, message, field, requestId}}; nothing of the machine leaks out.
import type { IncomingMessage } from 'node:http';
import { type ErrorJson, GenserveError, REASONS } from '@genserve/runtime';
import { publicError } from '../errors.js';
import { acceptedEncodings } from './body.js';
import type { Answer } from './scope.js';
import { sendJson } from './send.js';

export interface ErrorBody {
  readonly error: ErrorJson;
}

/** Express's own failures (a malformed path, a body that ends early) are the caller's: they bear a 4xx status. */
export function toGenserveError(thrown: unknown): GenserveError {
  const status = statusOf(thrown);
  const message = thrown instanceof Error ? thrown.message : 'the request is not valid';
  if (status === 413) return new GenserveError('PAYLOAD_TOO_LARGE', message, { field: 'body', cause: thrown });
  if (status === 415) return new GenserveError('UNSUPPORTED_MEDIA_TYPE', message, { cause: thrown });
  if (status !== undefined && status >= 400 && status < 500) {
    return new GenserveError('INVALID_ARGUMENT', message, { cause: thrown });
  }
  return publicError(thrown);
}

function statusOf(thrown: unknown): number | undefined {
  if (thrown instanceof GenserveError) return undefined;
  if (typeof thrown !== 'object' || thrown === null || !('status' in thrown)) return undefined;
  return typeof thrown.status === 'number' ? thrown.status : undefined;
}

export function errorBody(error: GenserveError, requestId: string): ErrorBody {
  return { error: { ...error.toJSON(), requestId } };
}

export type Report = (error: GenserveError, requestId: string) => void;

/** What was thrown becomes the answer. One that has already begun can only be cut off. */
export function answerError(thrown: unknown, request: IncomingMessage, response: Answer, report: Report): void {
  const error = toGenserveError(thrown);
  if (error.reason === 'INTERNAL') report(error, response.locals.requestId ?? '');
  if (response.headersSent || response.destroyed) response.destroy();
  else sendError(request, response, error);
}

/** Retry-After is in whole seconds, rounded up. The Open Inference Protocol has its own form: one string, the reason in front. */
export function sendError(
  request: IncomingMessage,
  response: Answer,
  error: GenserveError,
  status: number = REASONS[error.reason],
): void {
  response.locals.reason = error.reason;
  if (error.reason === 'UNAUTHENTICATED') response.setHeader('WWW-Authenticate', 'Bearer');
  if (error.retryAfterMs !== undefined) response.setHeader('Retry-After', String(Math.ceil(error.retryAfterMs / 1000)));
  if (error.field === 'Content-Encoding') response.setHeader('Accept-Encoding', acceptedEncodings);
  const isInference = /^\/v2(\/|\?|$)/.test(request.url ?? '');
  const body = isInference
    ? { error: `${error.reason}: ${error.message}` }
    : errorBody(error, response.locals.requestId ?? '');
  sendJson(response, body, status);
}
