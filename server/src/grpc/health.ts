// grpc.health.v1: Check answers at once, Watch sends every change (grpc/grpc, doc/health-checking.md).
// A service is the server (''), one of its gRPC services, or a model by name.
import { health } from '@genserve/proto/wire';
import { GenserveError } from '@genserve/runtime';
import type { Entrance } from '../entrance.js';
import type { Readiness } from '../readiness.js';
import { messageOf, unary } from './calls.js';
import { statusOf as failureOf } from './status.js';

const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = health.HealthCheckResponse_ServingStatus;

/** @param open lets everybody ask. @param isReady undefined for a service that does not exist. */
export function healthService(
  open: Entrance,
  readiness: Readiness,
  isReady: (service: string) => boolean | undefined,
): health.HealthServer {
  const statusOf = (service: string): health.HealthCheckResponse_ServingStatus => {
    const ready = isReady(service);
    if (ready === undefined) return SERVICE_UNKNOWN;
    return ready ? SERVING : NOT_SERVING;
  };
  return {
    check: unary(open, async ({ service }) => {
      const serving = statusOf(service);
      if (serving !== SERVICE_UNKNOWN) return { status: serving };
      throw new GenserveError('MODEL_NOT_FOUND', `there is no service or model ${service}`, { field: 'service' });
    }),
    watch(call) {
      let last: string | undefined;
      const send = (service: string): void => {
        const serving = statusOf(service);
        if (serving !== last) call.write({ status: serving });
        last = serving;
      };
      try {
        const { service } = messageOf(call);
        const unsubscribe = readiness.onChange(() => send(service));
        call.on('cancelled', () => {
          unsubscribe();
          call.end();
        });
        send(service);
      } catch (error) {
        call.emit('error', failureOf(error, ''));
      }
    },
  };
}
