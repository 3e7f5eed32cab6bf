// What log.jsonl says of a run, as series: what was done twice because a run was resumed counts once.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { runPaths } from '../train/run-folder.js';

export interface Point {
  readonly step: number;
  readonly value: number;
}

export interface History {
  /** Training metrics by name: means of a few steps each. */
  readonly training: ReadonlyMap<string, readonly Point[]>;
  readonly learningRate: readonly Point[];
  /** Held-out metrics by name. */
  readonly evaluation: ReadonlyMap<string, readonly Point[]>;
  /** Sheets of samples, in order of steps; paths on this machine. */
  readonly samples: readonly { readonly step: number; readonly path: string }[];
  readonly engine: string;
  readonly parameters: number;
  readonly step: number;
  readonly seconds: number;
  readonly imagesPerSecond: number;
  /** Whether the budget was spent. */
  readonly finished: boolean;
  readonly warnings: readonly string[];
}

const metrics = z.record(z.string(), z.number().nullable());
/** The events that are read; others are passed over. */
const event = z.discriminatedUnion('event', [
  z.object({ event: z.literal('begin'), startStep: z.number(), engine: z.string(), parameters: z.number() }),
  z.object({
    event: z.literal('step'),
    step: z.number(),
    metrics,
    elapsedSeconds: z.number(),
    imagesPerSecond: z.number().nullable(),
    learningRate: z.number().optional(),
  }),
  z.object({ event: z.literal('evaluate'), step: z.number(), metrics, samples: z.string().optional() }),
  z.object({ event: z.literal('end'), step: z.number(), elapsedSeconds: z.number(), finished: z.boolean() }),
  z.object({ event: z.literal('warning'), message: z.string() }),
]);

export async function readHistory(folder: string): Promise<History> {
  const text = await readFile(runPaths(folder).log, 'utf8').catch(() => '');
  const training = new Map<string, Point[]>();
  const evaluation = new Map<string, Point[]>();
  const learningRate: Point[] = [];
  let samples: { step: number; path: string }[] = [];
  let warnings: string[] = [];
  const summary = { engine: '', parameters: 0, step: 0, seconds: 0, imagesPerSecond: 0, finished: false };
  for (const line of text.split('\n')) {
    const read = event.safeParse(parseLine(line));
    if (!read.success) continue;
    const { data } = read;
    switch (data.event) {
      case 'begin':
        for (const points of [...training.values(), ...evaluation.values(), learningRate])
          dropAfter(points, data.startStep);
        samples = samples.filter(({ step }) => step <= data.startStep);
        if (data.startStep === 0) warnings = [];
        Object.assign(summary, { engine: data.engine, parameters: data.parameters, finished: false });
        break;
      case 'step':
        add(training, data.step, data.metrics);
        if (data.learningRate !== undefined) learningRate.push({ step: data.step, value: data.learningRate });
        Object.assign(summary, { step: data.step, seconds: data.elapsedSeconds });
        if (data.imagesPerSecond) summary.imagesPerSecond = data.imagesPerSecond;
        break;
      case 'evaluate':
        add(evaluation, data.step, data.metrics);
        if (data.samples) samples.push({ step: data.step, path: join(folder, data.samples) });
        break;
      case 'end':
        Object.assign(summary, { step: data.step, seconds: data.elapsedSeconds, finished: data.finished });
        break;
      case 'warning':
        warnings.push(data.message);
    }
  }
  return { training, learningRate, evaluation, samples, warnings, ...summary };
}

/** A line that a crash cut short is no event. */
function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function add(series: Map<string, Point[]>, step: number, values: Readonly<Record<string, number | null>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (value === null || !Number.isFinite(value)) continue;
    const points = series.get(name) ?? [];
    if (points.length === 0) series.set(name, points);
    points.push({ step, value });
  }
}

function dropAfter(points: Point[], step: number): void {
  while (points.length > 0 && points.at(-1)!.step > step) points.pop();
}
