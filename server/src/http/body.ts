// The whole body of a request, bounded.
import type { IncomingMessage } from 'node:http';
import { GenserveError, invalid } from '@genserve/runtime';

/** What is read and thrown away of a body that is too large, so that its sender can still hear the answer. */
const discardFactor = 8;

/** @throws PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE for a compressed body, INVALID_ARGUMENT for one that breaks off. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer<ArrayBuffer>> {
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') {
    throw new GenserveError('UNSUPPORTED_MEDIA_TYPE', `Content-Encoding ${encoding} is not taken; send it plain`, {
      field: 'Content-Encoding',
    });
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request) {
      bytes += chunk.length;
      if (bytes <= maxBytes) chunks.push(chunk);
      else chunks.length = 0;
      if (bytes > discardFactor * maxBytes) break;
    }
  } catch (cause) {
    throw new GenserveError('CANCELLED', 'the body broke off', { field: 'body', cause });
  }
  if (bytes > maxBytes) {
    throw new GenserveError(
      'PAYLOAD_TOO_LARGE',
      `the body is larger than the ${maxBytes} bytes that this server takes`,
      {
        field: 'body',
      },
    );
  }
  return Buffer.concat(chunks, bytes);
}

/** @throws INVALID_ARGUMENT naming the body. */
export function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) return {};
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw invalid('body', `must be JSON: ${cause instanceof Error ? cause.message : 'it cannot be parsed'}`);
  }
}
