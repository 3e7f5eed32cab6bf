// Where the time of a training step goes: onnxruntime's own profile, summed by operator and by node.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { table } from '../report.js';
import { median } from '../statistics.js';
import { selectNets } from './bench.js';
import { whyMissing, writeFixture } from './fixture.js';
import { StepRunner } from './step-runner.js';

export interface ProfileOptions {
  /** Name of one of `trainNets`. */
  readonly net: string;
  readonly threads?: number | undefined;
  /** Steps that are summed; 10 when absent. */
  readonly steps?: number | undefined;
  /** Nodes that are listed; 30 when absent. */
  readonly nodes?: number | undefined;
}

const WARM_UP = 3;

const event = z.object({
  cat: z.string(),
  name: z.string(),
  dur: z.number(),
  args: z
    .looseObject({
      op_name: z.string().optional(),
      input_type_shape: z.array(z.record(z.string(), z.array(z.number()))).optional(),
      output_type_shape: z.array(z.record(z.string(), z.array(z.number()))).optional(),
    })
    .optional(),
});

interface NodeTime {
  readonly name: string;
  readonly operator: string;
  readonly shapes: string;
  /** Median milliseconds of a step. */
  readonly milliseconds: number;
}

/** A table by operator and one of the slowest nodes, for each graph of the step. Profiling itself slows small nodes. */
export async function profileTrain(options: ProfileOptions): Promise<string> {
  const { threads = 2, steps = 10, nodes = 30 } = options;
  // One name gives one net.
  const net = selectNets([options.net])[0]!;
  const missing = whyMissing(net);
  if (missing !== undefined) return `${net.name}: ${missing}`;
  const folder = await mkdtemp(join(tmpdir(), 'genserve-profile-'));
  try {
    await writeFixture(folder, net);
    const runner = await StepRunner.create(folder, { threads, profile: join(folder, 'profile') });
    const times: number[] = [];
    for (let step = 0; step < WARM_UP + steps; step++) times.push((await runner.step()).milliseconds);
    await runner.close();
    const files = (await readdir(folder)).filter(name => name.startsWith('profile')).toSorted();
    const reports = await Promise.all(files.map(async file => describe(await readProfile(join(folder, file)), nodes)));
    const whole = `${net.name}: a step takes ${median(times.slice(WARM_UP)).toFixed(1)} ms while it is profiled`;
    return [whole, ...reports].join('\n\n');
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function readProfile(file: string): Promise<NodeTime[]> {
  const events = z.array(z.unknown()).parse(JSON.parse(await readFile(file, 'utf8')));
  const runs = new Map<string, { operator: string; shapes: string; microseconds: number[] }>();
  for (const raw of events) {
    const parsed = event.safeParse(raw);
    if (!parsed.success || parsed.data.cat !== 'Node' || !parsed.data.name.endsWith('_kernel_time')) continue;
    const { name, dur, args } = parsed.data;
    const shapes = `${shapeList(args?.input_type_shape)} -> ${shapeList(args?.output_type_shape)}`;
    const run = runs.get(name) ?? { operator: args?.op_name ?? '?', shapes, microseconds: [] };
    run.microseconds.push(dur);
    runs.set(name, run);
  }
  return [...runs].map(([name, { operator, shapes, microseconds }]) => ({
    name: name.slice(0, -'_kernel_time'.length),
    operator,
    shapes,
    milliseconds: median(microseconds.slice(WARM_UP)) / 1000,
  }));
}

function shapeList(shapes: readonly Readonly<Record<string, readonly number[]>>[] = []): string {
  return shapes
    .map(shape =>
      Object.values(shape)
        .map(sizes => `[${sizes.join(',')}]`)
        .join(''),
    )
    .join(' ');
}

function describe(nodes: readonly NodeTime[], listed: number): string {
  const total = nodes.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const share = (milliseconds: number) => `${((100 * milliseconds) / total).toFixed(1)} %`;
  const byOperator = new Map<string, { milliseconds: number; count: number }>();
  for (const { operator, milliseconds } of nodes) {
    const sum = byOperator.get(operator) ?? { milliseconds: 0, count: 0 };
    byOperator.set(operator, { milliseconds: sum.milliseconds + milliseconds, count: sum.count + 1 });
  }
  const operators = [...byOperator].toSorted(([, a], [, b]) => b.milliseconds - a.milliseconds);
  const slowest = nodes.toSorted((a, b) => b.milliseconds - a.milliseconds).slice(0, listed);
  return [
    `${nodes.length} nodes, ${total.toFixed(1)} ms in kernels`,
    table([
      ['operator', 'ms', 'share', 'nodes'],
      ...operators.map(([operator, { milliseconds, count }]) => [
        operator,
        milliseconds.toFixed(2),
        share(milliseconds),
        String(count),
      ]),
    ]),
    ...slowest.map(
      ({ name, operator, shapes, milliseconds }) =>
        `${milliseconds.toFixed(2).padStart(8)} ms  ${share(milliseconds).padStart(6)}  ${operator}  ${shapes}  ${name}`,
    ),
  ].join('\n');
}
