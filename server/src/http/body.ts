// The whole body of a request, bounded, as it came and unpacked.
import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';
import { GenserveError, invalid } from '@genserve/runtime';

/** What is read and thrown away of a body that is too large, so that its sender can still hear the answer. */
const discardFactor = 8;

const decoders = { gzip: promisify(gunzip), deflate: promisify(inflate), br: promisify(brotliDecompress) } as const;
export const acceptedEncodings = Object.keys(decoders).join(', ');

/** @throws PAYLOAD_TOO_LARGE (packed or unpacked), UNSUPPORTED_MEDIA_TYPE, INVALID_ARGUMENT, CANCELLED for one that breaks off. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer<ArrayBuffer>> {
  const encoding = request.headers['content-encoding'] ?? 'identity';
  const decode = Object.hasOwn(decoders, encoding) ? decoders[encoding as keyof typeof decoders] : undefined; // its own keys
  if (decode === undefined && encoding !== 'identity') {
    const message = `Content-Encoding ${encoding} is not taken; taken are ${acceptedEncodings}`;
    throw new GenserveError('UNSUPPORTED_MEDIA_TYPE', message, { field: 'Content-Encoding' });
  }
  const bytes = await readBytes(request, maxBytes);
  if (decode === undefined) return bytes;
  try {
    const decoded = await decode(bytes, { maxOutputLength: maxBytes });
    return Buffer.from(decoded);
  } catch (cause) {
    if (cause instanceof RangeError) throw tooLarge(maxBytes);
    throw new GenserveError('INVALID_ARGUMENT', `body: cannot be unpacked as ${encoding}`, { field: 'body', cause });
  }
}

/** By events: an iterator would cost a small request as much as all else that is done to read it. */
function readBytes(request: IncomingMessage, maxBytes: number): Promise<Buffer<ArrayBuffer>> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer<ArrayBuffer>[] = [];
    let bytes = 0;
    const take = (chunk: Buffer<ArrayBuffer>): void => {
      bytes += chunk.length;
      if (bytes <= maxBytes) chunks.push(chunk);
      else chunks.length = 0;
      if (bytes > discardFactor * maxBytes) request.destroy();
    };
    const breakOff = (cause?: unknown): void => {
      if (request.readableEnded) return;
      const error = new GenserveError('CANCELLED', 'the body broke off', { field: 'body', cause });
      reject(bytes > maxBytes ? tooLarge(maxBytes) : error);
    };
    if (request.destroyed) breakOff();
    request.on('data', take);
    request.on('end', () => {
      const [first] = chunks;
      if (bytes > maxBytes) reject(tooLarge(maxBytes));
      else resolve(first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks, bytes));
    });
    request.on('error', breakOff);
    request.on('close', () => breakOff());
  });
}

function tooLarge(maxBytes: number): GenserveError {
  const message = `the body is larger than the ${maxBytes} bytes that this server takes`;
  return new GenserveError('PAYLOAD_TOO_LARGE', message, { field: 'body' });
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
