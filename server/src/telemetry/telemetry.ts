// All that tells of the server's work, as it is configured; what is off is not there.
import type { Observer } from '../observer.js';
import type { Settings } from '../options.js';
import { createLog, type Logger, requestLog } from './log.js';
import { Metrics } from './metrics.js';
import { type RequestObserver, type WatchRequest, watchRequests } from './requests.js';

export interface Telemetry {
  readonly log: Logger;
  readonly metrics: Metrics | undefined;
  readonly observers: readonly Observer[];
  readonly watch: WatchRequest;
  /** Sends what is left. */
  close(): Promise<void>;
}

export async function createTelemetry(settings: Settings['telemetry']): Promise<Telemetry> {
  const log = createLog({ level: settings.logLevel });
  const metrics = settings.metrics ? new Metrics() : undefined;
  const traces = settings.traces === undefined ? undefined : await startTraces(settings.traces);
  const listening: RequestObserver[] = [];
  if (metrics !== undefined) listening.push(metrics);
  if (traces !== undefined) listening.push(traces);
  if (settings.logRequests) listening.push(requestLog(log));
  return {
    log,
    metrics,
    observers: metrics === undefined ? [] : [metrics],
    watch: watchRequests(listening),
    close: async () => traces?.close(),
  };
}

/** Its libraries are large: they are read where they are needed. */
async function startTraces(url: string) {
  const { Traces } = await import('./traces.js');
  return new Traces(url);
}
