// Prometheus metrics: how long requests take and in which phase, how batches close, what waits, what executors do.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { BatchEvent, ExecutorEvent, Gauges, Observer, StepEvent, Work } from '../observer.js';
import { residentBytes } from './memory.js';
import type { RequestEnd, RequestObserver, RequestWatch } from './requests.js';

/** Seconds: from a small tensor on loopback to a large job. */
const durations = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const rows = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

export class Metrics implements Observer, RequestObserver {
  readonly #registry = new Registry();
  readonly #phases = this.#histogram('step_phase_seconds', 'Time of a step in each phase.', [
    'model',
    'operation',
    'phase',
  ]);
  readonly #steps = this.#counter('steps_total', 'Steps that ended.', ['model', 'operation', 'outcome']);
  readonly #batchRows = new Histogram({
    name: 'genserve_batch_rows',
    help: 'Rows of a batch.',
    labelNames: ['model', 'operation'],
    buckets: rows,
    registers: [this.#registry],
  });
  readonly #batches = this.#counter('batches_total', 'Batches, by why they took no more steps.', [
    'model',
    'operation',
    'closing',
  ]);
  readonly #executors = this.#counter('executor_events_total', 'Executors that became ready or were lost.', ['kind']);
  readonly #requests = this.#histogram('request_seconds', 'Time of a whole request.', [
    'transport',
    'method',
    'reason',
  ]);
  readonly #encode = this.#histogram(
    'request_encode_seconds',
    'From the last step of a request until its answer was sent.',
    ['transport', 'method'],
  );

  constructor() {
    collectDefaultMetrics({ register: this.#registry });
  }

  /** What is read whenever metrics are collected. */
  read(gauges: Gauges): void {
    this.#gauge('queued_steps', 'Steps that wait.', () => gauges.queuedSteps);
    this.#gauge('queued_bytes', 'Bytes of the tensors of steps that wait.', () => gauges.queuedBytes);
    this.#gauge('executors', 'Processes that run models.', () => gauges.executors.count);
    this.#gauge('executors_ready', 'Those of them that answer.', () => gauges.executors.ready);
    this.#gauge('executor_restarts', 'Processes that were replaced.', () => gauges.executors.restarts);
    this.#gauge('executors_resident_bytes', 'Memory of all executors.', () => residentBytes(gauges.executorPids));
    const byModel: Gauge = new Gauge({
      name: 'genserve_model_queued_steps',
      help: 'Steps that wait, by model.',
      labelNames: ['model'],
      registers: [this.#registry],
      collect: () => {
        byModel.reset();
        for (const [model, steps] of gauges.queuedStepsByModel) byModel.set({ model }, steps);
      },
    });
  }

  /** In the text format, with its media type. */
  async collect(): Promise<{ contentType: string; text: string }> {
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }

  onStep(step: StepEvent): void {
    const labels = labelsOf(step);
    this.#steps.inc({ ...labels, outcome: step.failure ?? 'OK' });
    this.#phases.observe({ ...labels, phase: 'queue' }, step.queueMs / 1000);
    if (step.failure !== undefined) return;
    this.#phases.observe({ ...labels, phase: 'batch' }, step.batchMs / 1000);
    this.#phases.observe({ ...labels, phase: 'compute' }, step.computeMs / 1000);
  }

  onBatch(batch: BatchEvent): void {
    const labels = labelsOf(batch);
    this.#batchRows.observe(labels, batch.rows);
    this.#batches.inc({ ...labels, closing: batch.closing });
  }

  onExecutor({ kind }: ExecutorEvent): void {
    this.#executors.inc({ kind });
  }

  begin({ transport }: { readonly transport: string }): RequestWatch {
    return {
      end: ({ method, reason, totalMs, encodeMs }: RequestEnd) => {
        this.#requests.observe({ transport, method, reason }, totalMs / 1000);
        if (encodeMs !== undefined) this.#encode.observe({ transport, method }, encodeMs / 1000);
      },
    };
  }

  #histogram(name: string, help: string, labelNames: string[]): Histogram {
    return new Histogram({
      name: `genserve_${name}`,
      help,
      labelNames,
      buckets: durations,
      registers: [this.#registry],
    });
  }

  #counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ name: `genserve_${name}`, help, labelNames, registers: [this.#registry] });
  }

  #gauge(name: string, help: string, read: () => number): void {
    const gauge: Gauge = new Gauge({
      name: `genserve_${name}`,
      help,
      registers: [this.#registry],
      collect: () => gauge.set(read()),
    });
  }
}

/** Versions and members of ensembles would multiply the series; they are in the statistics. */
function labelsOf({ model, operation }: Work): { model: string; operation: string } {
  return { model, operation: operation.split('#', 1)[0] ?? operation };
}
