// One net: both sides checked for equal losses, then timed in turns beside the machine's own ceiling.
import { fileURLToPath } from 'node:url';
import { GenserveError } from '@genserve/runtime';
import { z } from 'zod';
import { Contestant } from '../contestant.js';
import { median } from '../statistics.js';
import type { TrainNet } from './nets.js';
import { peerCommand, tuned, type Variant, variantName, variants } from './pytorch.js';

export interface TimingOptions {
  readonly threads: number;
  /** Turns that each side has. */
  readonly rounds: number;
  /** Steps of a turn. */
  readonly steps: number;
}

export interface Side {
  /** Median milliseconds of a step. */
  readonly milliseconds: number;
  /** Of all threads together. */
  readonly cpuMilliseconds: number;
  readonly peakBytes: number;
  /** From the start of the process to the end of its first step. */
  readonly firstStepSeconds: number;
  /** Median of each turn, in order. */
  readonly turns: readonly number[];
}

export interface Named {
  readonly name: string;
}

export interface Measurement {
  readonly ours: Side;
  /** In the fastest way that a program can choose. */
  readonly pytorch: Side & Named;
  /** The same with its threads run in the fastest way; `pytorch` itself where that is as they come. */
  readonly tunedPytorch: Side & Named;
  /** Medians of all ways that were tried, by which those two were chosen. */
  readonly trials: Readonly<Record<string, number>>;
  /** 2 x the multiply-adds of one step: forward, input gradients and filter gradients. */
  readonly flops: number;
  readonly gemmGflops: number;
  /** Largest relative difference of the first losses. */
  readonly lossDifference: number;
}

const timings = z.object({
  milliseconds: z.array(z.number()),
  cpu_milliseconds: z.array(z.number()),
  losses: z.array(z.array(z.number())),
});
const peak = z.object({ peak_bytes: z.number() });
const work = z.object({ multiply_adds: z.number() });
const product = z.object({ gflops: z.number() });

/** Steps whose losses are compared; both sides are warm after them. */
const CHECKED_STEPS = 5;
const TOLERANCE = 1e-4;
/** Steps by which the fastest way of PyTorch is chosen. */
const TRIAL_STEPS = 10;
/** Products in each turn of the ceiling; 20 and more over a net. */
const PRODUCTS = 7;

/** Throws INTERNAL where the two sides do not compute the same losses. */
export async function measure(
  net: TrainNet,
  fixture: string,
  ceilings: Contestant,
  { threads, rounds, steps }: TimingOptions,
): Promise<Measurement> {
  const ours = await Racer.start(
    new Contestant('genserve', {
      file: process.execPath,
      arguments: [fileURLToPath(new URL('compiled-step.js', import.meta.url)), fixture, String(threads)],
    }),
  );
  const trials = new Trials(net, fixture, threads, ours);
  try {
    const pytorch = await trials.fastest(variants(net));
    const tunedPytorch = await trials.fastest(tuned(pytorch.variant), pytorch);
    const racers = [...new Set([ours, pytorch.racer, tunedPytorch.racer])];
    let gemmGflops = 0;
    for (let round = 0; round < rounds; round++) {
      // Whoever goes second finds the machine warmer: they take turns at that too.
      for (const racer of round % 2 === 0 ? racers : racers.toReversed()) await racer.race(steps);
      gemmGflops = Math.max(gemmGflops, (await ceilings.ask(`gemm ${PRODUCTS}`, product)).gflops);
    }
    const named = async ({ racer, variant }: Trial) => ({ ...(await racer.summary()), name: variantName(variant) });
    const sides = {
      ours: await ours.summary(),
      pytorch: await named(pytorch),
      tunedPytorch: await named(tunedPytorch),
    };
    const { multiply_adds } = await pytorch.racer.contestant.ask('count', work);
    return {
      ...sides,
      trials: trials.medians(),
      flops: 2 * multiply_adds,
      gemmGflops,
      lossDifference: trials.lossDifference,
    };
  } finally {
    await ours.close();
    await trials.close();
  }
}

interface Trial {
  readonly variant: Variant;
  readonly racer: Racer;
  /** Median of TRIAL_STEPS. */
  readonly milliseconds: number;
}

/** Ways to run PyTorch, of which those that win stay open to be raced. */
class Trials {
  readonly #tried = new Map<string, Trial>();
  lossDifference = 0;

  constructor(
    private readonly net: TrainNet,
    private readonly fixture: string,
    private readonly threads: number,
    private readonly ours: Racer,
  ) {}

  /** The fastest of the candidates and the `incumbent`, which stays open in any case. */
  async fastest(candidates: readonly Variant[], incumbent?: Trial): Promise<Trial> {
    let best = incumbent;
    for (const variant of candidates) {
      const trial = await this.#try(variant);
      const loser = best && best.milliseconds <= trial.milliseconds ? trial : best;
      if (loser !== trial) best = trial;
      if (loser !== incumbent) await loser?.racer.close();
    }
    if (!best) throw new Error('there is no way to run PyTorch');
    return best;
  }

  medians(): Record<string, number> {
    return Object.fromEntries([...this.#tried].map(([name, { milliseconds }]) => [name, milliseconds]));
  }

  async close(): Promise<void> {
    for (const { racer } of this.#tried.values()) await racer.close();
  }

  async #try(variant: Variant): Promise<Trial> {
    const name = variantName(variant);
    const command = peerCommand(this.net, this.fixture, variant, this.threads);
    const racer = await Racer.start(new Contestant(`PyTorch (${name})`, command));
    this.lossDifference = Math.max(this.lossDifference, difference(this.net, this.ours, racer));
    const trial = { variant, racer, milliseconds: await racer.turn(TRIAL_STEPS) };
    this.#tried.set(name, trial);
    return trial;
  }
}

class Racer {
  readonly #milliseconds: number[] = [];
  readonly #cpuMilliseconds: number[] = [];
  readonly #turns: number[] = [];

  private constructor(
    readonly contestant: Contestant,
    readonly firstLosses: readonly (readonly number[])[],
    readonly firstStepSeconds: number,
  ) {}

  static async start(contestant: Contestant): Promise<Racer> {
    const start = performance.now();
    const first = await contestant.ask('run 1', timings);
    const firstStepSeconds = (performance.now() - start) / 1000;
    const next = await contestant.ask(`run ${CHECKED_STEPS - 1}`, timings);
    return new Racer(contestant, [...first.losses, ...next.losses], firstStepSeconds);
  }

  /** Median milliseconds of so many steps. */
  async turn(steps: number): Promise<number> {
    return median((await this.contestant.ask(`run ${steps}`, timings)).milliseconds);
  }

  /** A turn that counts. */
  async race(steps: number): Promise<void> {
    const { milliseconds, cpu_milliseconds } = await this.contestant.ask(`run ${steps}`, timings);
    this.#milliseconds.push(...milliseconds);
    this.#cpuMilliseconds.push(...cpu_milliseconds);
    this.#turns.push(median(milliseconds));
  }

  async summary(): Promise<Side> {
    const { peak_bytes } = await this.contestant.ask('peak', peak);
    return {
      milliseconds: median(this.#milliseconds),
      cpuMilliseconds: median(this.#cpuMilliseconds),
      peakBytes: peak_bytes,
      firstStepSeconds: this.firstStepSeconds,
      turns: this.#turns,
    };
  }

  close(): Promise<void> {
    return this.contestant.close();
  }
}

function difference(net: TrainNet, ours: Racer, theirs: Racer): number {
  const differences = ours.firstLosses.slice(0, net.comparedSteps).flatMap((losses, step) =>
    losses.map((loss, update) => {
      const other = theirs.firstLosses[step]?.[update] ?? Number.NaN;
      return Math.abs(loss - other) / Math.max(1, Math.abs(other));
    }),
  );
  // NaN is no agreement either.
  if (differences.every(each => each <= TOLERANCE)) return Math.max(...differences);
  const list = (racer: Racer) => racer.firstLosses.map(losses => losses.map(loss => loss.toPrecision(8)).join(' + '));
  throw new GenserveError(
    'INTERNAL',
    `${net.name}: the first losses differ by more than ${TOLERANCE}, so the two sides do not train the same net: ` +
      `${list(ours).join(', ')} here, ${list(theirs).join(', ')} in ${theirs.contestant.name}`,
  );
}
