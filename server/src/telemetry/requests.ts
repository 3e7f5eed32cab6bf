// What is told of whole requests, whatever the protocol: metrics, traces and the log listen. With no listener a request
// pays for none of it.
import type { Reason } from '@genserve/runtime';
import type { StepEvent } from '../observer.js';

export interface RequestStart {
  readonly transport: 'http' | 'grpc';
  readonly requestId: string;
  /** W3C Trace Context of the caller, where it sent one. */
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
}

export interface RequestEnd {
  /** A name of few: the rpc, or the route. */
  readonly method: string;
  readonly caller: string;
  /** HTTP status, or gRPC status code. */
  readonly status: number;
  /** 'OK', or what went wrong. */
  readonly reason: Reason | 'OK';
  readonly totalMs: number;
  /** From the end of its last step until its answer was handed over; absent for a request that ran none. */
  readonly encodeMs: number | undefined;
}

export interface RequestWatch {
  onStep?(step: StepEvent): void;
  end(end: RequestEnd): void;
}

export interface RequestObserver {
  begin(start: RequestStart): RequestWatch;
}

/** One request under all observers. `end` counts once. */
export class WatchedRequest {
  readonly #watches: readonly RequestWatch[];
  readonly #startedAt = performance.now();
  #lastStepAt: number | undefined;
  #ended = false;

  constructor(observers: readonly RequestObserver[], start: RequestStart) {
    this.#watches = observers.map(observer => observer.begin(start));
  }

  readonly onStep = (step: StepEvent): void => {
    this.#lastStepAt = performance.now();
    for (const watch of this.#watches) watch.onStep?.(step);
  };

  end(outcome: Pick<RequestEnd, 'method' | 'caller' | 'status' | 'reason'>): void {
    if (this.#ended) return;
    this.#ended = true;
    const now = performance.now();
    const encodeMs = this.#lastStepAt === undefined ? undefined : now - this.#lastStepAt;
    for (const watch of this.#watches) watch.end({ ...outcome, totalMs: now - this.#startedAt, encodeMs });
  }
}

/** Undefined where nobody listens. */
export type WatchRequest = (start: RequestStart) => WatchedRequest | undefined;

export function watchRequests(observers: readonly RequestObserver[]): WatchRequest {
  return observers.length === 0 ? () => undefined : start => new WatchedRequest(observers, start);
}
