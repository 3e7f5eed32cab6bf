// SHA-256 of source data.
import { createHash } from 'node:crypto';

/** Of several parts one after the other, each behind its length, so that moving a byte between parts changes the hash. */
export function sha256(...parts: readonly (Uint8Array | string)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) {
    const bytes = typeof part === 'string' ? Buffer.from(part, 'utf8') : part;
    hash.update(`${bytes.byteLength}:`);
    hash.update(bytes);
  }
  return hash.digest('hex');
}
