// The one error story: used by /v1, /v2, gRPC, workers, executors and the exit codes of the command line (contract, section 9).

/** gRPC status codes by name; the numbers are gRPC's own. */
const grpc = {
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

export interface ReasonRow {
  readonly http: number;
  readonly grpc: number;
  readonly retry: boolean;
}

const row = (http: number, code: keyof typeof grpc, retry = false): ReasonRow => ({ http, grpc: grpc[code], retry });

/** Every failure that a user can meet. The last group never crosses the wire on its own; its rows are for completeness. */
export const REASONS = {
  INVALID_ARGUMENT: row(400, 'INVALID_ARGUMENT'),
  UNAUTHENTICATED: row(401, 'UNAUTHENTICATED'),
  PERMISSION_DENIED: row(403, 'PERMISSION_DENIED'),
  MODEL_NOT_FOUND: row(404, 'NOT_FOUND'),
  METHOD_NOT_ALLOWED: row(405, 'UNIMPLEMENTED'),
  OPERATION_UNSUPPORTED: row(501, 'UNIMPLEMENTED'),
  PAYLOAD_TOO_LARGE: row(413, 'RESOURCE_EXHAUSTED'),
  UNSUPPORTED_MEDIA_TYPE: row(415, 'INVALID_ARGUMENT'),
  OVERLOADED: row(429, 'RESOURCE_EXHAUSTED', true),
  CANCELLED: row(499, 'CANCELLED'),
  DEADLINE_EXCEEDED: row(504, 'DEADLINE_EXCEEDED', true),
  MODEL_UNAVAILABLE: row(503, 'UNAVAILABLE', true),
  EXECUTOR_LOST: row(503, 'UNAVAILABLE', true),
  INTERNAL: row(500, 'INTERNAL'),
  BUNDLE_INVALID: row(500, 'INTERNAL'),
  INTEGRITY_MISMATCH: row(500, 'INTERNAL'),
  ASSET_UNREACHABLE: row(500, 'INTERNAL', true),
  BACKEND_UNAVAILABLE: row(500, 'INTERNAL'),
  DEVICE_LOST: row(500, 'INTERNAL', true),
  OUT_OF_MEMORY: row(500, 'INTERNAL'),
  STORAGE_FULL: row(500, 'INTERNAL'),
  NON_FINITE: row(500, 'INTERNAL'),
  CONFIGURATION_INVALID: row(500, 'INTERNAL'),
} as const satisfies Record<string, ReasonRow>;

export type Reason = keyof typeof REASONS;

export interface ErrorDetails {
  /** Path of the field that was wrong, e.g. "inputs.tensor.shape". */
  readonly field?: string | undefined;
  readonly requestId?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/** What crosses a worker, a process and the wire. */
export interface ErrorJson {
  readonly reason: string;
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
    return REASONS[this.reason].retry;
  }

  toJSON(): ErrorJson {
    const { reason, message, field, requestId, retryAfterMs } = this;
    return {
      reason,
      message,
      ...(field !== undefined && { field }),
      ...(requestId !== undefined && { requestId }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    };
  }

  static fromJSON(json: ErrorJson): GenserveError {
    return new GenserveError(isReason(json.reason) ? json.reason : 'INTERNAL', json.message, json);
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
