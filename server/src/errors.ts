// What a caller may hear of a failure: our own errors as they are, anything else without its message, which could name paths.
import { GenserveError } from '@genserve/runtime';

export function publicError(thrown: unknown): GenserveError {
  return thrown instanceof GenserveError
    ? thrown
    : new GenserveError('INTERNAL', 'the server failed on this request', { cause: thrown });
}
