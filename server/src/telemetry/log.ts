// The log: lines of JSON on standard error, each of a request with its id. Administrative calls are in it, and in a file
// of their own where one is named.
import { type Logger, pino } from 'pino';
import type { RequestObserver } from './requests.js';

export type { Logger };

export interface LogSettings {
  readonly level: string;
}

export function createLog({ level }: LogSettings): Logger {
  return pino({ level, base: { service: 'genserve' } }, pino.destination({ dest: 2, sync: true }));
}

/** Every request, once it has ended. */
export function requestLog(log: Logger): RequestObserver {
  return {
    begin: ({ transport, requestId }) => ({
      end: ({ method, caller, status, reason, totalMs, encodeMs }) =>
        log.info({ requestId, transport, method, caller, status, reason, totalMs, encodeMs }, 'request'),
    }),
  };
}

export interface AuditEvent {
  readonly action: 'load' | 'unload';
  readonly model: string;
  readonly caller: string;
  readonly requestId: string;
  /** 'OK', or why it was refused or failed. */
  readonly outcome: string;
}

export type Audit = (event: AuditEvent) => void;

/** @param path a file that is appended to, if given. */
export function createAudit(log: Logger, path: string | undefined): Audit {
  const file = path === undefined ? undefined : pino({ base: null }, pino.destination({ dest: path, sync: true }));
  return event => {
    log.warn(event, 'audit');
    file?.info(event);
  };
}
