// Compression of answers that are text, for callers who accept it. Raw tensors and pictures gain nothing by it, and
// lines of a stream must not wait for each other.
import { constants } from 'node:zlib';
import compression from 'compression';
import type { RequestHandler } from 'express';
import { media } from './answer.js';

const leastBytes = 4096;
/** Fast: answers are made while their callers wait, and digits in base64 hardly shrink further. */
const level = 1;

export function compressed(): RequestHandler {
  return compression({
    threshold: leastBytes,
    level,
    brotli: { params: { [constants.BROTLI_PARAM_QUALITY]: level } },
    filter: (request, response) => {
      const type = String(response.getHeader('Content-Type'));
      return !type.includes(media.lines) && compression.filter(request, response);
    },
  });
}
