// `genserve bench train`: our compiled training step, PyTorch's, and the machine's own ceilings, in turns.
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { invalid } from '@genserve/runtime';
import { versions } from '@genserve/trainer';
import { z } from 'zod';
import { Contestant } from '../contestant.js';
import { blas } from '../machine.js';
import { type Report, table } from '../report.js';
import { geometricMean } from '../statistics.js';
import { whyMissing, writeFixture } from './fixture.js';
import { type Measurement, measure } from './measure.js';
import { type TrainNet, trainNets } from './nets.js';
import { installPyTorch, versionCommand } from './pytorch.js';

export interface TrainBenchOptions {
  /** Names of `trainNets`; all when absent. */
  readonly nets?: readonly string[] | undefined;
  /** 2 when absent, on both sides. */
  readonly threads?: number | undefined;
  /** Turns of each side for each net; 3 when absent. */
  readonly rounds?: number | undefined;
  /** Steps of a turn; 20 when absent. */
  readonly steps?: number | undefined;
  /** Told what is going on, a line at a time. */
  readonly log?: ((line: string) => void) | undefined;
}

/** Nets whose family does not exist yet are listed in `context.missing`; the geometric mean is over the others. */
export async function benchTrain(options: TrainBenchOptions = {}): Promise<Report> {
  const { threads = 2, rounds = 3, steps = 20, log = () => {} } = options;
  const nets = selectNets(options.nets);
  await installPyTorch();
  const load = loadavg()[0]!;
  if (load > 0.5) log(`warning: the load average is ${load.toFixed(2)}; timings hold on an idle machine only`);
  const context = {
    threads,
    rounds,
    steps,
    /** Above 0.5 somebody else was at work. */
    load_average: load,
    versions: { ...versions(), ...(await pytorchVersion()) },
  };
  const ceilings = new Contestant('the ceilings', {
    file: process.execPath,
    arguments: [fileURLToPath(new URL('ceilings.js', import.meta.url)), String(threads)],
  });
  const measured = new Map<string, Measurement & { readonly parameters: number }>();
  const missing: Record<string, string> = {};
  try {
    const { gbps } = await ceilings.ask('copy 20', z.object({ gbps: z.number() }));
    for (const net of nets) {
      const reason = whyMissing(net);
      if (reason !== undefined) {
        missing[net.name] = reason;
        log(`${net.name}: missing, ${reason}`);
        continue;
      }
      const fixture = await mkdtemp(join(tmpdir(), 'genserve-bench-'));
      try {
        log(`${net.name}: writing weights and batches`);
        const parameters = await writeFixture(fixture, net);
        log(`${net.name}: ${parameters.toLocaleString('en')} parameters; checking losses, then ${rounds} turns`);
        measured.set(net.name, { ...(await measure(net, fixture, ceilings, { threads, rounds, steps })), parameters });
      } finally {
        await rm(fixture, { recursive: true });
      }
    }
    return report(measured, missing, gbps, context);
  } finally {
    await ceilings.close();
  }
}

/** All nets, or those named; throws INVALID_ARGUMENT for a name that there is not. */
export function selectNets(names: readonly string[] | undefined): readonly TrainNet[] {
  for (const name of names ?? [])
    if (!trainNets.some(net => net.name === name))
      throw invalid('net', `there is no net "${name}"; there are ${trainNets.map(net => net.name).join(', ')}`);
  return trainNets.filter(({ name }) => names === undefined || names.includes(name));
}

async function pytorchVersion(): Promise<Record<string, string>> {
  const python = new Contestant('python3', versionCommand());
  try {
    const { torch } = await python.ask('version', z.object({ torch: z.string() }));
    return { torch, blas: blas() };
  } finally {
    await python.close();
  }
}

const MIB = 2 ** 20;

function report(
  measured: ReadonlyMap<string, Measurement & { readonly parameters: number }>,
  missing: Readonly<Record<string, string>>,
  gbps: number,
  context: Readonly<Record<string, unknown>>,
): Report {
  // One ceiling for all: the best that was seen in the whole call.
  const gemm = Math.max(...[...measured.values()].map(({ gemmGflops }) => gemmGflops));
  const metrics: Record<string, number> = { 'train.nets': measured.size, 'train.copy_gbps': gbps };
  const details: Record<string, unknown> = {};
  const rows = [
    [
      ...['step', 'ms', 'PyTorch', 'ratio', 'tuned', 'ratio', 'GFLOP/s', 'of Gemm'],
      ...['peak MiB', 'PyTorch', 'ratio', 'first step', 'PyTorch'],
    ],
  ];
  for (const [name, { ours, pytorch, tunedPytorch, flops, ...rest }] of measured) {
    const gflops = flops / ours.milliseconds / 1e6;
    const figures = {
      vs_pytorch: pytorch.milliseconds / ours.milliseconds,
      vs_tuned_pytorch: tunedPytorch.milliseconds / ours.milliseconds,
      fraction_of_gemm: gflops / gemm,
      gflops,
      ms: ours.milliseconds,
      pytorch_ms: pytorch.milliseconds,
      tuned_pytorch_ms: tunedPytorch.milliseconds,
      cpu_ms: ours.cpuMilliseconds,
      pytorch_cpu_ms: pytorch.cpuMilliseconds,
      peak_mib: ours.peakBytes / MIB,
      pytorch_peak_mib: pytorch.peakBytes / MIB,
      peak_vs_pytorch: ours.peakBytes / pytorch.peakBytes,
      first_step_s: ours.firstStepSeconds,
      pytorch_first_step_s: pytorch.firstStepSeconds,
    };
    for (const [figure, value] of Object.entries(figures)) metrics[`train.${name}.${figure}`] = value;
    details[name] = { ...rest, flops, genserve: ours, pytorch, tuned_pytorch: tunedPytorch };
    const times = (ratio: number) => `${ratio.toFixed(2)}x`;
    rows.push([
      name,
      figures.ms.toFixed(1),
      figures.pytorch_ms.toFixed(1),
      times(figures.vs_pytorch),
      figures.tuned_pytorch_ms.toFixed(1),
      times(figures.vs_tuned_pytorch),
      gflops.toFixed(0),
      `${(100 * figures.fraction_of_gemm).toFixed(0)} %`,
      figures.peak_mib.toFixed(0),
      figures.pytorch_peak_mib.toFixed(0),
      times(figures.peak_vs_pytorch),
      `${figures.first_step_s.toFixed(1)} s`,
      `${figures.pytorch_first_step_s.toFixed(1)} s`,
    ]);
  }
  const lines = [table(rows)];
  if (measured.size > 0) {
    const over = (figure: string) => [...measured.keys()].map(name => metrics[`train.${name}.${figure}`]!);
    metrics['train.gemm_gflops'] = gemm;
    metrics['train.geomean_vs_pytorch'] = geometricMean(over('vs_pytorch'));
    metrics['train.geomean_vs_tuned_pytorch'] = geometricMean(over('vs_tuned_pytorch'));
    metrics['train.least_vs_pytorch'] = Math.min(...over('vs_pytorch'));
    metrics['train.greatest_peak_vs_pytorch'] = Math.max(...over('peak_vs_pytorch'));
    metrics['train.greatest_first_step_s'] = Math.max(...over('first_step_s'));
    lines.push(
      `geometric mean over ${measured.size}: ${metrics['train.geomean_vs_pytorch'].toFixed(2)} times PyTorch's speed, ` +
        `${metrics['train.geomean_vs_tuned_pytorch'].toFixed(2)} times with its threads tuned`,
      `ceilings: ${gemm.toFixed(0)} GFLOP/s in a 2048x2048x2048 Gemm, ${gbps.toFixed(1)} GB/s read and written in a copy`,
    );
  }
  for (const [name, reason] of Object.entries(missing)) lines.push(`${name}: not measured, ${reason}`);
  return { metrics, context: { ...context, nets: details, missing }, table: lines.join('\n') };
}
