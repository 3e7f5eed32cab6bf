// Headers of every answer: who may read it from other origins, and what browsers must not do with it.
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { HEAD_LENGTH_HEADER } from '@genserve/runtime';
import type { RequestHandler } from 'express';
import helmet from 'helmet';
import { priorityHeader } from '../request-scope.js';
import { timeoutHeader } from './scope.js';

const methods = 'GET, HEAD, POST, OPTIONS';
const requestHeaders = [
  'Content-Type',
  'Content-Encoding',
  HEAD_LENGTH_HEADER,
  timeoutHeader,
  priorityHeader,
  'X-Request-Id',
  'X-Api-Key',
  'Authorization',
  'Range',
  'traceparent',
  'tracestate',
];
const responseHeaders = [
  HEAD_LENGTH_HEADER,
  'X-Request-Id',
  'Retry-After',
  'RateLimit-Limit',
  'RateLimit-Remaining',
  'ETag',
  'Content-Range',
  'Content-Length',
];
const preflightSeconds = 86_400;

export interface HeaderSettings {
  /** Lets the pages use threads in WebAssembly. */
  readonly isolate: boolean;
  /** Tells browsers to stay with https. */
  readonly secure: boolean;
  readonly cors: boolean;
}

/** They are the same for all requests, so that they are made once. */
export function headersOfAnswers(settings: HeaderSettings): readonly (readonly [string, string])[] {
  const sample = new ServerResponse(new IncomingMessage(new Socket()));
  securityHeaders(settings)(sample.req, sample, () => {});
  if (settings.cors) {
    sample.setHeader('Access-Control-Allow-Origin', '*');
    sample.setHeader('Access-Control-Expose-Headers', responseHeaders.join(', '));
  }
  return sample.getHeaderNames().map(name => [name, String(sample.getHeader(name))] as const);
}

function securityHeaders({ isolate, secure }: HeaderSettings) {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        // The page compiles WebAssembly; onnxruntime-web starts its threads from blobs.
        scriptSrc: ["'self'", "'wasm-unsafe-eval'", 'blob:'],
        workerSrc: ["'self'", 'blob:'],
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:', 'blob:'],
        // A page may be shown how to speak to another server.
        connectSrc: ['*', 'data:', 'blob:'],
        objectSrc: ["'none'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    crossOriginOpenerPolicy: isolate ? { policy: 'same-origin' } : false,
    crossOriginEmbedderPolicy: isolate ? { policy: 'require-corp' } : false,
    crossOriginResourcePolicy: { policy: 'cross-origin' },
    frameguard: { action: 'deny' },
    referrerPolicy: { policy: 'no-referrer' },
    strictTransportSecurity: secure && { maxAge: 31_536_000 },
  });
}

/** Answers a browser that asks whether a page of another origin may send a request. */
export const preflight: RequestHandler = (request, response, next) => {
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
