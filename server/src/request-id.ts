// The name of one request, in logs, errors and answers: the caller's own where it is a harmless one.
import { randomUUID } from 'node:crypto';

export function requestIdOf(given: unknown): string {
  return typeof given === 'string' && /^[\w.:/+=-]{1,128}$/.test(given) ? given : randomUUID();
}
