// Our errors as gRPC status: code, message, and google.rpc details in the trailer `grpc-status-details-bin`.
import { errorDetails } from '@genserve/proto/wire';
import { type GenserveError, grpcCode } from '@genserve/runtime';
import { Metadata, type StatusObject } from '@grpc/grpc-js';
import { publicError } from '../errors.js';

function detail(name: string, bytes: Uint8Array): errorDetails.Any {
  return { typeUrl: `type.googleapis.com/google.rpc.${name}`, value: Buffer.from(bytes) };
}

export function statusOf(thrown: unknown, requestId: string): StatusObject {
  const error = publicError(thrown);
  const code = grpcCode(error.reason);
  const status = errorDetails.Status.create({ code, message: error.message, details: detailsOf(error, requestId) });
  const metadata = new Metadata();
  metadata.set('x-request-id', requestId);
  metadata.set('grpc-status-details-bin', Buffer.from(errorDetails.Status.encode(status).finish()));
  return { code, details: error.message, metadata };
}

function detailsOf(error: GenserveError, requestId: string): errorDetails.Any[] {
  const { reason, field, retryAfterMs, message } = error;
  const info = { reason, domain: 'genserve', metadata: { requestId, ...(field !== undefined && { field }) } };
  const details = [detail('ErrorInfo', errorDetails.ErrorInfo.encode(info).finish())];
  if (field !== undefined) {
    const violation = { fieldViolations: [{ field, description: message }] };
    details.push(detail('BadRequest', errorDetails.BadRequest.encode(violation).finish()));
  }
  if (retryAfterMs !== undefined) {
    const retryDelay = { seconds: Math.floor(retryAfterMs / 1000), nanos: Math.round((retryAfterMs % 1000) * 1e6) };
    details.push(detail('RetryInfo', errorDetails.RetryInfo.encode({ retryDelay }).finish()));
  }
  return details;
}
