// The one error story: used by /v1, /v2, gRPC, workers, executors and the exit codes of the command line (contract, section 9).

export interface ReasonRow {
  readonly http: number;
  /**
   * gRPC's own numbers: 1 CANCELLED, 3 INVALID_ARGUMENT, 4 DEADLINE_EXCEEDED, 5 NOT_FOUND, 7 PERMISSION_DENIED,
   * 8 RESOURCE_EXHAUSTED, 12 UNIMPLEMENTED, 13 INTERNAL, 14 UNAVAILABLE, 16 UNAUTHENTICATED.
   */
  readonly grpc: number;
}

const row = (http: number, grpc: number): ReasonRow => ({ http, grpc });
const local = row(500, 13);

/** Every failure that a user can meet. The last group never crosses the wire on its own; its rows are for completeness. */
export const REASONS = {
  INVALID_ARGUMENT: row(400, 3),
  UNAUTHENTICATED: row(401, 16),
  PERMISSION_DENIED: row(403, 7),
  MODEL_NOT_FOUND: row(404, 5),
  METHOD_NOT_ALLOWED: row(405, 12),
  OPERATION_UNSUPPORTED: row(501, 12),
  PAYLOAD_TOO_LARGE: row(413, 8),
  UNSUPPORTED_MEDIA_TYPE: row(415, 3),
  OVERLOADED: row(429, 8),
  CANCELLED: row(499, 1),
  DEADLINE_EXCEEDED: row(504, 4),
  MODEL_UNAVAILABLE: row(503, 14),
  EXECUTOR_LOST: row(503, 14),
  INTERNAL: row(500, 13),
  BUNDLE_INVALID: local,
  INTEGRITY_MISMATCH: local,
  ASSET_UNREACHABLE: row(500, 13),
  BACKEND_UNAVAILABLE: local,
  DEVICE_LOST: row(500, 13),
  OUT_OF_MEMORY: local,
  STORAGE_FULL: local,
  NON_FINITE: local,
  CONFIGURATION_INVALID: local,
} as const satisfies Record<string, ReasonRow>;

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
