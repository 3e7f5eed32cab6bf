// Turns an aborted signal into the error that callers match on.
import { GenserveError } from './errors.js';

/**
 * Throws if `signal` is aborted: the signal's own GenserveError where that is its reason, DEADLINE_EXCEEDED after
 * `AbortSignal.timeout`, CANCELLED otherwise.
 */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal);
}

/** The error that an aborted signal stands for. */
export function abortError({ reason }: AbortSignal): GenserveError {
  if (reason instanceof GenserveError) return reason;
  const timedOut = reason instanceof Error && reason.name === 'TimeoutError';
  return timedOut
    ? new GenserveError('DEADLINE_EXCEEDED', 'the call took longer than its deadline', { cause: reason })
    : new GenserveError('CANCELLED', 'the call was cancelled', { cause: reason });
}
