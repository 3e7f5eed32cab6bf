// OpenTelemetry: a span for each request, below its caller's (W3C Trace Context), with one for each step and its phases.
import {
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { StepEvent } from '../observer.js';
import type { RequestObserver, RequestStart, RequestWatch } from './requests.js';

const propagator = new W3CTraceContextPropagator();

const getter: TextMapGetter<RequestStart> = {
  keys: () => ['traceparent', 'tracestate'],
  get: (start, key) =>
    key === 'traceparent' ? start.traceparent : key === 'tracestate' ? start.tracestate : undefined,
};

export class Traces implements RequestObserver {
  readonly #provider: TracerProvider;
  readonly #tracer: Tracer;

  /** @param url of a collector that takes OTLP over HTTP, e.g. http://localhost:4318/v1/traces */
  constructor(url: string) {
    this.#provider = new TracerProvider({
      resource: resourceFromAttributes({ 'service.name': 'genserve' }),
      spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ url }) })],
    });
    this.#tracer = this.#provider.getTracer('genserve');
  }

  begin(start: RequestStart): RequestWatch {
    const parent = propagator.extract(ROOT_CONTEXT, start, getter);
    const attributes = { 'genserve.transport': start.transport, 'genserve.request_id': start.requestId };
    const span = this.#tracer.startSpan(start.transport, { kind: SpanKind.SERVER, attributes }, parent);
    const inside = trace.setSpan(parent, span);
    return {
      onStep: step => this.#step(step, inside),
      end: ({ method, reason, status, caller }) => {
        span.updateName(method);
        span.setAttributes({ 'genserve.status': status, 'genserve.reason': reason, 'genserve.caller': caller });
        if (reason !== 'OK') span.setStatus({ code: SpanStatusCode.ERROR, message: reason });
        span.end();
      },
    };
  }

  /** Sends what is left. */
  async close(): Promise<void> {
    await this.#provider.shutdown();
  }

  /** A step is told of once it has ended: its spans begin in the past. */
  #step(step: StepEvent, inside: Context): void {
    const { model, version, operation, rows, queueMs, batchMs, computeMs, failure } = step;
    const end = Date.now();
    const start = end - queueMs - batchMs - computeMs;
    const attributes = {
      'genserve.model': model,
      'genserve.version': version,
      'genserve.operation': operation,
      'genserve.rows': rows,
    };
    const span = this.#tracer.startSpan('step', { startTime: start, attributes }, inside);
    if (failure !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
    const within = trace.setSpan(inside, span);
    let from = start;
    for (const [name, milliseconds] of Object.entries({ queue: queueMs, batch: batchMs, compute: computeMs })) {
      const phase: Span = this.#tracer.startSpan(name, { startTime: from }, within);
      from += milliseconds;
      phase.end(from);
    }
    span.end(end);
  }
}
