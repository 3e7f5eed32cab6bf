// The one error story: used by /v1, /v2, gRPC, workers, executors and the exit codes of the command line (contract, section 9).

/**
 * Every failure that a user can meet, and its HTTP status. The last group never crosses the wire on its own; its rows
 * are for completeness.
 */
export const REASONS = {
  INVALID_ARGUMENT: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  MODEL_NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  OPERATION_UNSUPPORTED: 501,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  OVERLOADED: 429,
  CANCELLED: 499,
  DEADLINE_EXCEEDED: 504,
  MODEL_UNAVAILABLE: 503,
  EXECUTOR_LOST: 503,
  INTERNAL: 500,
  BUNDLE_INVALID: 500,
  INTEGRITY_MISMATCH: 500,
  ASSET_UNREACHABLE: 500,
  BACKEND_UNAVAILABLE: 500,
  DEVICE_LOST: 500,
  OUT_OF_MEMORY: 500,
  STORAGE_FULL: 500,
  NON_FINITE: 500,
  CONFIGURATION_INVALID: 500,
} as const satisfies Record<string, number>;

/**
 * gRPC's own number for each of these statuses: 1 CANCELLED, 3 INVALID_ARGUMENT, 4 DEADLINE_EXCEEDED, 5 NOT_FOUND,
 * 7 PERMISSION_DENIED, 8 RESOURCE_EXHAUSTED, 12 UNIMPLEMENTED, 13 INTERNAL, 14 UNAVAILABLE, 16 UNAUTHENTICATED.
 */
const GRPC_CODES = {
  400: 3,
  401: 16,
  403: 7,
  404: 5,
  405: 12,
  413: 8,
  415: 3,
  429: 8,
  499: 1,
  500: 13,
  501: 12,
  503: 14,
  504: 4,
} as const satisfies Record<(typeof REASONS)[Reason], number>;

export function grpcCode(reason: Reason): number {
  return GRPC_CODES[REASONS[reason]];
}

export type Reason = keyof typeof REASONS;

/** Where the same request may succeed later. Apart from the table, which pages without a server need not download. */
const RETRYABLE: readonly Reason[] = [
  'OVERLOADED',
  'DEADLINE_EXCEEDED',
  'MODEL_UNAVAILABLE',
  'EXECUTOR_LOST',
  'ASSET_UNREACHABLE',
  'DEVICE_LOST',
];

export interface ErrorDetails {
  /** Path of the field that was wrong, e.g. "inputs.tensor.shape". */
  readonly field?: string | undefined;
  readonly requestId?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/** What crosses a worker, a process and the wire. */
export interface ErrorJson {
  readonly reason: Reason;
  readonly message: string;
  readonly field?: string | undefined;
  readonly requestId?: string | undefined;
  readonly retryAfterMs?: number | undefined;
}

/** The only error that genserve throws on purpose: match by `reason`. The message says what was wrong and what would be right. */
export class GenserveError extends Error {
  override readonly name = 'GenserveError';
  readonly field: string | undefined;
  readonly requestId: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(
    readonly reason: Reason,
    message: string,
    details: ErrorDetails = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.field = details.field;
    this.requestId = details.requestId;
    this.retryAfterMs = details.retryAfterMs;
  }

  /** Whether the same request may succeed later. */
  get retryable(): boolean {
    return RETRYABLE.includes(this.reason);
  }

  toJSON(): ErrorJson {
    const { reason, message, field, requestId, retryAfterMs } = this;
    return { reason, message, field, requestId, retryAfterMs };
  }

  static fromJSON(json: ErrorJson): GenserveError {
    return new GenserveError(json.reason, json.message, json);
  }

  /** `error` itself, or INTERNAL around what was not ours. */
  static from(error: unknown): GenserveError {
    if (error instanceof GenserveError) return error;
    const message = error instanceof Error ? error.message : String(error);
    return new GenserveError('INTERNAL', message, { cause: error });
  }
}

export function isReason(text: string): text is Reason {
  return Object.hasOwn(REASONS, text);
}

/** Shorthand for the commonest error: a field of the caller's input is wrong. */
export function invalid(field: string, message: string): GenserveError {
  return new GenserveError('INVALID_ARGUMENT', `${field}: ${message}`, { field });
}
