// Headers of every answer: who may read it from other origins, and what browsers must not do with it.
import { HEAD_LENGTH_HEADER } from '@genserve/runtime';
import type { RequestHandler } from 'express';
import { timeoutHeader } from './scope.js';

const methods = 'GET, HEAD, POST, OPTIONS';
const requestHeaders = ['Content-Type', HEAD_LENGTH_HEADER, timeoutHeader, 'X-Request-Id', 'Range', 'traceparent'];
const responseHeaders = [HEAD_LENGTH_HEADER, 'X-Request-Id', 'Retry-After', 'ETag', 'Content-Range', 'Content-Length'];
const preflightSeconds = 86_400;

export function securityHeaders(isolate: boolean): RequestHandler {
  return (_request, response, next) => {
    response.set({
      'X-Content-Type-Options': 'nosniff',
      'X-Frame-Options': 'DENY',
      'Referrer-Policy': 'no-referrer',
      'Cross-Origin-Resource-Policy': 'cross-origin',
    });
    // Pages that isolate themselves may use threads in WebAssembly.
    if (isolate) {
      response.set({ 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' });
    }
    next();
  };
}

export const cors: RequestHandler = (request, response, next) => {
  response.set('Access-Control-Allow-Origin', '*');
  response.set('Access-Control-Expose-Headers', responseHeaders.join(', '));
  if (request.method !== 'OPTIONS') {
    next();
    return;
  }
  response
    .set({
      'Access-Control-Allow-Methods': methods,
      'Access-Control-Allow-Headers': requestHeaders.join(', '),
      'Access-Control-Max-Age': String(preflightSeconds),
    })
    .sendStatus(204);
};
