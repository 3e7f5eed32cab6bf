// grpc.health.v1: Check answers at once, Watch sends every change (grpc/grpc, doc/health-checking.md).
// A service is the server (''), one of its gRPC services, or a model by name.
import { health } from '@genserve/proto/wire';
import { status } from '@grpc/grpc-js';
import type { Readiness } from '../readiness.js';

const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = health.HealthCheckResponse_ServingStatus;

/** @param isReady undefined for a service that does not exist. */
export function healthService(
  readiness: Readiness,
  isReady: (service: string) => boolean | undefined,
): health.HealthServer {
  const statusOf = (service: string): health.HealthCheckResponse_ServingStatus => {
    const ready = isReady(service);
    if (ready === undefined) return SERVICE_UNKNOWN;
    return ready ? SERVING : NOT_SERVING;
  };
  return {
    check(call, callback) {
      const serving = statusOf(call.request.service);
      if (serving !== SERVICE_UNKNOWN) return callback(null, { status: serving });
      return callback({ code: status.NOT_FOUND, details: `there is no service or model ${call.request.service}` });
    },
    watch(call) {
      let last: string | undefined;
      const send = (): void => {
        const serving = statusOf(call.request.service);
        if (serving !== last) call.write({ status: serving });
        last = serving;
      };
      const unsubscribe = readiness.onChange(send);
      call.on('cancelled', () => {
        unsubscribe();
        call.end();
      });
      send();
    },
  };
}
