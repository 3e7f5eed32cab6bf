// One model: what the server adds to a run, how much of the machine it leaves to runs, and how it compares with what one
// would write without it. Sides take turns; figures are medians over the turns.
import { findOperation, float32, type Manifest, sizeOf } from '@genserve/runtime';
import { median } from '../statistics.js';
import { type Ports, reconstructCall, sampleCall, transports } from './calls.js';
import type { Contestants, Rivals } from './contestants.js';
import type { Call, Outcome } from './plan.js';
import { trialFeeds } from './session.js';

export interface MeasureOptions {
  /** Turns of each side. */
  readonly rounds: number;
  /** Of each turn. */
  readonly seconds: number;
}

export type Figures = Record<string, number>;

/** Samples of a request in the test of saturation, and the callers who ask for them. */
const batchRows = 64;
const batchCallers = 4;
const singleCallers = 32;
/** What a large request carries each way. */
const largeBytes = 16 * 2 ** 20;
/** Rows of each of its runs: the server's greatest batch. */
const largeRunRows = 256;

type Measure = (
  contestants: Contestants,
  rivals: Rivals,
  manifest: Manifest,
  served: Ports,
  options: MeasureOptions,
) => Promise<Figures>;

/** What is measured of a model, by name. */
export function measuresOf(manifest: Manifest): Readonly<Record<string, Measure>> {
  const all = { overhead, saturation, singles };
  return manifest.operations.some(({ name }) => name === 'reconstruct') ? { ...all, large } : all;
}

/** One caller, one sample: served minus raw, beside the bare transport of the same payload. */
async function overhead(
  contestants: Contestants,
  rivals: Rivals,
  manifest: Manifest,
  served: Ports,
  { rounds, seconds }: MeasureOptions,
): Promise<Figures> {
  const bare = await contestants.echoPorts(...sizesOf(manifest, 'sample', 1));
  const turns = new Turns();
  for (let round = 0; round < rounds; round++) {
    turns.add('raw_ms', median(await rivals.raw('sample', 1)));
    for (const transport of transports) {
      const call = (ports: Ports) => sampleCall(transport, ports, manifest.name, 1);
      turns.add(`served_ms.${transport}`, await latency(contestants, call(served), seconds));
      turns.add(`echo_ms.${transport}.p50`, await latency(contestants, call(bare), seconds));
    }
  }
  return aboveEcho(turns.medians(), '', (above, echo) => above - echo);
}

/** Many callers for 64 samples: rows a second, as a share of raw runs of 64 rows. */
async function saturation(
  contestants: Contestants,
  rivals: Rivals,
  manifest: Manifest,
  served: Ports,
  { rounds, seconds }: MeasureOptions,
): Promise<Figures> {
  const turns = new Turns();
  for (let round = 0; round < rounds; round++) {
    turns.add('raw_rows_per_second', (1000 * batchRows) / median(await rivals.raw('sample', batchRows)));
    for (const transport of transports) {
      const call = sampleCall(transport, served, manifest.name, batchRows);
      const cpuBefore = await contestants.servedCpuMs();
      const outcome = await contestants.load({ call, seconds, concurrency: batchCallers });
      const cpuMs = (await contestants.servedCpuMs()) - cpuBefore;
      turns.add(`rows_per_second.${transport}`, batchRows * answersPerSecond(outcome));
      turns.add(`front_cpu_ms_per_batch.${transport}`, cpuMs / outcome.status.length);
    }
  }
  const figures = turns.medians();
  for (const transport of transports) {
    const fraction = figures[`rows_per_second.${transport}`]! / figures.raw_rows_per_second!;
    figures[`fraction_of_raw.${transport}`] = fraction;
  }
  figures.fraction_of_raw = Math.max(...transports.map(transport => figures[`fraction_of_raw.${transport}`]!));
  return figures;
}

/** 32 callers for one sample each, beside the express handler. */
async function singles(
  contestants: Contestants,
  rivals: Rivals,
  manifest: Manifest,
  served: Ports,
  { rounds, seconds }: MeasureOptions,
): Promise<Figures> {
  const express = { ...sampleCall('http', { http: rivals.express.port, grpc: 0 }, '', 1), path: '/sample' };
  const turns = new Turns();
  for (let round = 0; round < rounds; round++) {
    for (const transport of transports) {
      const call = sampleCall(transport, served, manifest.name, 1);
      const cpuBefore = await contestants.servedCpuMs();
      const outcome = await contestants.load({ call, seconds, concurrency: singleCallers });
      const cpuMs = (await contestants.servedCpuMs()) - cpuBefore;
      turns.add(`single_per_second.${transport}`, answersPerSecond(outcome));
      turns.add(`front_cpu_ms_per_single.${transport}`, cpuMs / outcome.status.length);
    }
    const outcome = await contestants.load({ call: express, seconds, concurrency: singleCallers });
    turns.add('express_per_second', answersPerSecond(outcome));
  }
  const figures = turns.medians();
  figures.single_vs_express = figures['single_per_second.http']! / figures.express_per_second!;
  return figures;
}

/** One caller, 16 MiB each way: served minus raw, in bare echoes. */
async function large(
  contestants: Contestants,
  rivals: Rivals,
  manifest: Manifest,
  served: Ports,
  { rounds, seconds }: MeasureOptions,
): Promise<Figures> {
  const operation = findOperation(manifest, 'reconstruct');
  const [, ...rest] = operation.inputs.find(({ role }) => role === 'data')?.shape ?? [];
  const rowBytes = 4 * sizeOf(rest);
  const rows = Math.ceil(largeBytes / rowBytes);
  const pictures = float32([rows, ...rest], new Float32Array(rows * sizeOf(rest)));
  const bare = await contestants.echoPorts(0, rows * rowBytes);
  const turns = new Turns();
  for (let round = 0; round < rounds; round++) {
    const run = median(await rivals.raw('reconstruct', largeRunRows));
    turns.add('raw_ms', (run * rows) / largeRunRows);
    for (const transport of transports) {
      const call = (ports: Ports) => reconstructCall(transport, ports, manifest.name, pictures);
      turns.add(`served_ms.${transport}`, await latency(contestants, call(served), seconds));
      turns.add(`echo_ms.${transport}.p50`, await latency(contestants, call(bare), seconds));
    }
  }
  return aboveEcho(turns.medians(), 'large.', (above, echo) => above / echo);
}

/** Overheads, and how they stand to the bare transport. */
function aboveEcho(medians: Figures, prefix: string, compare: (above: number, echo: number) => number): Figures {
  const figures: Figures = {};
  for (const [name, value] of Object.entries(medians)) figures[prefix + name] = value;
  for (const transport of transports) {
    const above = medians[`served_ms.${transport}`]! - medians.raw_ms!;
    figures[`${prefix}overhead_ms.${transport}.p50`] = above;
    const kind = prefix === '' ? 'overhead_minus_echo_ms' : 'overhead_vs_echo';
    figures[`${prefix}${kind}.${transport}`] = compare(above, medians[`echo_ms.${transport}.p50`]!);
  }
  return figures;
}

async function latency(contestants: Contestants, call: Call, seconds: number): Promise<number> {
  const outcome = await contestants.load({ call, seconds, concurrency: 1 });
  answersPerSecond(outcome);
  return median(outcome.latencyMs);
}

/** Refused requests are no answers. */
function answersPerSecond({ status, elapsedMs }: Outcome): number {
  const answers = status.filter(code => code === 200).length;
  if (answers === 0) throw new Error(`no request was answered; the first came back with ${status[0]}`);
  return (1000 * answers) / elapsedMs;
}

/** Bytes of the tensors that go to an executor and come back for so many rows. */
function sizesOf(manifest: Manifest, name: string, rows: number): [number, number] {
  const operation = findOperation(manifest, name);
  const feeds = Object.values(trialFeeds(manifest, operation, rows));
  const output = operation.outputs.find(({ role }) => role === 'data');
  return [feeds.reduce((sum, { data }) => sum + data.byteLength, 0), 4 * rows * sizeOf(output?.shape.slice(1) ?? [])];
}

class Turns {
  readonly #values = new Map<string, number[]>();

  add(name: string, value: number): void {
    this.#values.set(name, [...(this.#values.get(name) ?? []), value]);
  }

  medians(): Figures {
    return Object.fromEntries([...this.#values].map(([name, values]) => [name, median(values)]));
  }
}
