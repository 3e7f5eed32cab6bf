// Compression of answers that are text, for callers who accept it. Raw tensors and pictures gain nothing by it, and
// lines of a stream must not wait for each other.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants } from 'node:zlib';
import compression from 'compression';
import { media } from './answer.js';

const leastBytes = 4096;
/** Fast: answers are made while their callers wait, and digits in base64 hardly shrink further. */
const level = 1;

export type Compress = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

export function compressed(): Compress {
  const middleware = compression({
    threshold: leastBytes,
    level,
    brotli: { params: { [constants.BROTLI_PARAM_QUALITY]: level } },
    filter: (request, response) => {
      const type = String(response.getHeader('Content-Type'));
      return !type.includes(media.lines) && compression.filter(request, response);
    },
  });
  // It is typed for Express, and asks for no more than what Node's own requests and answers have.
  return middleware as unknown as Compress;
}
