// Exit codes: one per reason of runtime's table, so that a script can tell what went wrong without reading words.
import type { Reason } from '@genserve/runtime';

/** 0 is success; 130 is what a shell gives for Ctrl-C. */
export const EXIT_CODES = {
  INTERNAL: 1,
  INVALID_ARGUMENT: 2,
  CONFIGURATION_INVALID: 3,
  BUNDLE_INVALID: 4,
  INTEGRITY_MISMATCH: 5,
  MODEL_NOT_FOUND: 6,
  OPERATION_UNSUPPORTED: 7,
  ASSET_UNREACHABLE: 8,
  BACKEND_UNAVAILABLE: 9,
  NON_FINITE: 10,
  OUT_OF_MEMORY: 11,
  STORAGE_FULL: 12,
  UNSUPPORTED_MEDIA_TYPE: 13,
  PAYLOAD_TOO_LARGE: 14,
  DEVICE_LOST: 15,
  EXECUTOR_LOST: 16,
  MODEL_UNAVAILABLE: 17,
  OVERLOADED: 18,
  DEADLINE_EXCEEDED: 19,
  METHOD_NOT_ALLOWED: 20,
  UNAUTHENTICATED: 21,
  PERMISSION_DENIED: 22,
  CANCELLED: 130,
} as const satisfies Record<Reason, number>;
