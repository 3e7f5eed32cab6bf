import { describe, expect, it } from 'vitest';
import { GenserveError, grpcCode, invalid, isReason, REASONS, type Reason } from './errors.js';

/** The table of the contract, section 9, written out again: [reason, HTTP, gRPC number, retry]. */
const table: [Reason, number, number, boolean][] = [
  ['INVALID_ARGUMENT', 400, 3, false],
  ['UNAUTHENTICATED', 401, 16, false],
  ['PERMISSION_DENIED', 403, 7, false],
  ['MODEL_NOT_FOUND', 404, 5, false],
  ['METHOD_NOT_ALLOWED', 405, 12, false],
  ['OPERATION_UNSUPPORTED', 501, 12, false],
  ['PAYLOAD_TOO_LARGE', 413, 8, false],
  ['UNSUPPORTED_MEDIA_TYPE', 415, 3, false],
  ['OVERLOADED', 429, 8, true],
  ['CANCELLED', 499, 1, false],
  ['DEADLINE_EXCEEDED', 504, 4, true],
  ['MODEL_UNAVAILABLE', 503, 14, true],
  ['EXECUTOR_LOST', 503, 14, true],
  ['INTERNAL', 500, 13, false],
];
const local: Reason[] = [
  'BUNDLE_INVALID',
  'INTEGRITY_MISMATCH',
  'ASSET_UNREACHABLE',
  'BACKEND_UNAVAILABLE',
  'DEVICE_LOST',
  'OUT_OF_MEMORY',
  'STORAGE_FULL',
  'NON_FINITE',
  'CONFIGURATION_INVALID',
];

describe('the table of reasons', () => {
  it.each(table)('%s is HTTP %d, gRPC %d, retry %s', (reason, http, grpc, retry) => {
    expect([REASONS[reason], grpcCode(reason)]).toEqual([http, grpc]);
    expect(new GenserveError(reason, 'x').retryable).toBe(retry);
  });

  it('has a row for every reason, and no other', () => {
    expect(Object.keys(REASONS).sort()).toEqual([...table.map(([reason]) => reason), ...local].sort());
  });

  it.each(local)('%s, which is local, is an internal error on the wire', reason => {
    expect([REASONS[reason], grpcCode(reason)]).toEqual([500, 13]);
  });
});

describe('GenserveError', () => {
  it('survives JSON with its details', () => {
    const error = new GenserveError('OVERLOADED', 'busy', { field: 'count', requestId: 'r1', retryAfterMs: 250 });
    const back = GenserveError.fromJSON(JSON.parse(JSON.stringify(error)));
    expect(back).toBeInstanceOf(GenserveError);
    expect({ ...back.toJSON() }).toEqual({
      reason: 'OVERLOADED',
      message: 'busy',
      field: 'count',
      requestId: 'r1',
      retryAfterMs: 250,
    });
  });

  it('tells reasons from other words', () => {
    expect(['INTERNAL', 'FROM_THE_FUTURE', 'toString'].map(isReason)).toEqual([true, false, false]);
  });

  it('keeps what was thrown as the cause, and what was ours as it is', () => {
    const cause = new RangeError('out');
    expect(GenserveError.from(cause)).toMatchObject({ reason: 'INTERNAL', message: 'out', cause });
    const ours = invalid('seed', 'must be 0 or more');
    expect(GenserveError.from(ours)).toBe(ours);
    expect(ours).toMatchObject({ reason: 'INVALID_ARGUMENT', field: 'seed', message: 'seed: must be 0 or more' });
  });
});
