// `genserve bench serve`: the server beside raw onnxruntime, beside the bare transport and beside an express handler, in turns.
import { readdir, readFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { invalid, type Manifest, parseManifest } from '@genserve/runtime';
import { type Report, table } from '../report.js';
import { Contestants } from './contestants.js';
import { type Figures, measuresOf } from './measure.js';
import { measureOverload } from './overload.js';

export interface ServeBenchOptions {
  /** Folder of bundles; 'models' when absent. */
  readonly models?: string | undefined;
  /** Names of models; all when absent. */
  readonly names?: readonly string[] | undefined;
  /** Turns of each side; 3 when absent. */
  readonly rounds?: number | undefined;
  /** Of each turn; 3 when absent. */
  readonly seconds?: number | undefined;
  /** Seconds of three times the load that the server can take; none when absent. */
  readonly overloadSeconds?: number | undefined;
  readonly log?: ((line: string) => void) | undefined;
}

/** Samples of a request under overload. */
const overloadCount = 16;

interface Bundle {
  readonly folder: string;
  readonly manifest: Manifest;
}

export async function benchServe(options: ServeBenchOptions = {}): Promise<Report> {
  const { models = 'models', rounds = 3, seconds = 3, overloadSeconds = 0, log = () => {} } = options;
  const bundles = await findBundles(models, options.names);
  const load = loadavg()[0]!;
  if (load > 0.5) log(`warning: the load average is ${load.toFixed(2)}; timings hold on an idle machine only`);
  const contestants = new Contestants(models, seconds);
  const measured = new Map<string, Figures>();
  const failures: string[] = [];
  /** Figures of one part; where it fails, the others are still measured. */
  const attempt = async (model: string, part: string, measure: () => Promise<Figures>): Promise<void> => {
    log(`${model}: ${part}`);
    try {
      measured.set(model, { ...measured.get(model), ...(await measure()) });
    } catch (error) {
      const failure = `${model}: ${part} failed: ${error instanceof Error ? error.message : error}`;
      failures.push(failure);
      log(failure);
    }
  };
  try {
    if (contestants.cores === undefined) log('warning: processes are not pinned to cores (taskset, 2 cores)');
    const served = await contestants.servedPorts();
    for (const { folder, manifest } of bundles) {
      const rivals = await contestants.rivals(folder);
      try {
        for (const [part, measure] of Object.entries(measuresOf(manifest))) {
          await attempt(manifest.name, part, () => measure(contestants, rivals, manifest, served, { rounds, seconds }));
        }
      } finally {
        await rivals.close();
      }
      if (overloadSeconds === 0) continue;
      const overload = { count: overloadCount, seconds: overloadSeconds };
      await attempt(manifest.name, 'overload', () => measureOverload(contestants, manifest, overload));
    }
  } finally {
    await contestants.close();
  }
  const context = { models, rounds, seconds, overloadSeconds, cores: contestants.cores ?? null, load_average: load };
  return report(measured, { ...context, failures });
}

/** The newest version of each model. */
async function findBundles(models: string, names: readonly string[] | undefined): Promise<Bundle[]> {
  const present = (await readdir(models)).sort();
  for (const name of names ?? []) {
    if (!present.includes(name)) throw invalid('model', `there is no model "${name}"; there are ${present.join(', ')}`);
  }
  const bundles: Bundle[] = [];
  for (const name of names ?? present) {
    const versions = (await readdir(join(models, name))).map(Number).filter(version => version > 0);
    if (versions.length === 0) continue;
    const folder = join(models, name, String(Math.max(...versions)));
    bundles.push({
      folder,
      manifest: parseManifest(JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8'))),
    });
  }
  return bundles;
}

function report(measured: ReadonlyMap<string, Figures>, context: Readonly<Record<string, unknown>>): Report {
  const metrics: Record<string, number> = {};
  const rows = [['model', 'figure', 'http', 'gRPC']];
  for (const [model, figures] of measured) {
    for (const [name, value] of Object.entries(figures)) metrics[`serve.${model}.${name}`] = value;
    const both = (label: string, name: (transport: string) => string) =>
      rows.push([model, label, ...['http', 'grpc'].map(transport => text(figures[name(transport)]))]);
    const one = (label: string, name: string) => {
      if (figures[name] !== undefined) rows.push([model, label, text(figures[name]), '']);
    };
    both('overhead, one sample, p50 ms', transport => `overhead_ms.${transport}.p50`);
    both('bare echo, p50 ms', transport => `echo_ms.${transport}.p50`);
    if (figures['large.raw_ms'] !== undefined) {
      both('overhead, 16 MiB, p50 ms', transport => `large.overhead_ms.${transport}.p50`);
      both('in bare echoes', transport => `large.overhead_vs_echo.${transport}`);
    }
    both('64 samples, 4 callers: share of raw', transport => `fraction_of_raw.${transport}`);
    both('front, processor ms a request of 64', transport => `front_cpu_ms_per_batch.${transport}`);
    both('one sample, 32 callers: requests/s', transport => `single_per_second.${transport}`);
    both('front, processor ms a request of 1', transport => `front_cpu_ms_per_single.${transport}`);
    one('express, requests/s', 'express_per_second');
    one('times express', 'single_vs_express');
    one('3 x overload: goodput of peak', 'overload.goodput_fraction');
    one('accepted, p99 ms', 'overload.accepted_ms.p99');
    one('in the limit of the queue', 'overload.accepted_vs_limit');
    one('refused, p99 ms', 'overload.refused_ms.p99');
    one('refused with Retry-After, share', 'overload.refused_with_retry_after');
    one('schedule kept, p99 ms late', 'overload.schedule_lag_ms.p99');
    one('back to normal, s', 'overload.recovery_s');
  }
  return { metrics, context, table: table(rows) };
}

function text(value: number | undefined): string {
  return value === undefined ? '' : value.toPrecision(3);
}
