import { fillNoise, float32, type Tensors } from '@genserve/runtime';
import { describe, expect, it } from 'vitest';
import { patchDiscriminator } from '../adversarial/patch-discriminator.js';
import { eagerEngine } from '../engine/eager.js';
import type { State } from '../engine/program.js';
import { createSession } from '../engine/session.js';
import { operationProgram } from '../export/operation-program.js';
import { Scope } from '../nn/variable.js';
import {
  evaluate,
  flowSubject,
  greatestDifference,
  halfPrecisionBytes,
  imageDomain,
  movedState,
  normals,
} from '../testing/flows.js';
import { compiledAgainstEager, parameterCounts, runRounds } from '../testing/rounds.js';
import { exportOperations } from '../trace/operations.js';
import { pix2pix } from './pix2pix.js';

const colour = imageDomain(32, 32, 256, 3);
const tiny = { width: 3, widest: 2, levels: 3, discriminatorWidth: 4, dropoutLevels: 1 };
const [tinyDomain, tinyTarget] = [imageDomain(10, 7, 256), imageDomain(10, 7, 256, 3)];
const options = { family: pix2pix, settings: tiny, domain: tinyDomain, target: tinyTarget, batch: 5 };

describe('a training step of pix2pix', () => {
  it('equals tfjs on its cpu backend: both networks, their statistics and optimisers after two rounds', async () => {
    for (const skips of [true, false]) {
      const settings = { ...tiny, skips };
      expect((await compiledAgainstEager({ ...options, settings }, 2)).difference).toBeLessThan(1e-3);
    }
  });

  it('changes the network that it trains, statistics included, and nothing of the other', async () => {
    const { states } = await runRounds(options, eagerEngine(), 2);
    const changed = (a: State, b: State) =>
      new Set([...a.keys()].filter(name => greatestDifference(a.get(name)!, b.get(name)!) > 0).map(networkOf));
    for (const [index, { after, state }] of states.entries())
      if (index > 0) expect(changed(states[index - 1]!.state, state)).toEqual(new Set([after]));
  });

  it('halves the loss of the discriminator, and weighs the distance of pixels in [-1, 1] a hundredfold', async () => {
    const { outputs } = await runRounds(options, eagerEngine(), 1);
    const valuesOf = (step: string) => outputs.find(each => each.step === step)!.values;
    const value = (values: Tensors, name: string) =>
      Object.entries(values).find(([key]) => key.endsWith(name))![1].data[0]!;
    // At first it knows nothing: ln 2 of real and of generated pictures each.
    expect(value(valuesOf('discriminator'), 'loss')).toBeCloseTo(Math.LN2, 1);
    const generator = valuesOf('generator');
    const [adversarial, l1] = [value(generator, 'adversarial'), value(generator, 'l1')];
    expect(value(generator, 'loss')).toBeCloseTo(adversarial + 100 * 2 * l1, 3);
  });

  it('needs pairs of pictures of one size, and says so', () => {
    expect(() => flowSubject(pix2pix, tiny, tinyDomain)).toThrowError(/pairs of pictures; emoji-pairs/);
    expect(() => flowSubject(pix2pix, tiny, tinyDomain, 0, imageDomain(7, 7, 256))).toThrowError(/10x7 .* 7x7/);
  });
});

/** The network that a variable, or an optimiser's variable (which bears its step's name), belongs to. */
function networkOf(name: string): string {
  return name.split('/')[0]!;
}

describe('pix2pix as it is served', () => {
  const subject = flowSubject(pix2pix, tiny, tinyDomain, 0.3, tinyTarget);
  const programs = subject.model.operations.map(operation => operationProgram(operation, subject.variables));

  /** Rows first, first + 1, ... of 64, each with the noise of its own. */
  const feeds = (first: number, count: number, seed = 1): Tensors =>
    Object.fromEntries(
      programs[0]!.inputs.map(({ name, shape }) => {
        const row = shape.slice(1) as number[]; // only dimension 0 is the batch
        const of = name === 'x' ? 1 : seed;
        const noise = { seed: of, name, distribution: 'uniform', shape: row, firstIndex: first, count } as const;
        return [name, float32([count, ...row], fillNoise(noise))] as const;
      }),
    );

  it('gives a row the same translation whatever its batch, in [0, 1], and another for other noise', async () => {
    const { operations, weights } = exportOperations(programs, subject.state);
    const session = await createSession(operations[0]!.model, { weights, threads: 1 });
    const run = async (first: number, count: number, seed?: number) =>
      (await session.run(feeds(first, count, seed))).y!.data;
    const together = await run(0, 64);
    const size = together.length / 64;
    expect(size).toBe(10 * 7 * 3);
    for (const row of [0, 17, 63])
      expect([...(await run(row, 1))]).toEqual([...together.subarray(row * size, (row + 1) * size)]);
    expect(Math.min(...together)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...together)).toBeLessThanOrEqual(1);
    expect(greatestDifference(await run(0, 4, 2), together.subarray(0, 4 * size))).toBeGreaterThan(0.01);
    await session.close();
  });

  it('draws what dropout drops from inputs: the graph holds no random number, in serving neither', () => {
    const [translate] = subject.model.operations;
    expect(translate!.inputs.map(({ role }) => role)).toEqual(['data', 'noise']);
    expect(subject.model.noises).toEqual([{ name: 'dropout1', distribution: 'uniform', shape: [3, 2, 6] }]);
    const without = flowSubject(pix2pix, { ...tiny, dropout: 0 }, tinyDomain, 0.3, tinyTarget);
    expect(without.model.noises).toEqual([]);
  });
});

describe('the presets of pix2pix', () => {
  it('small: at most 4 MB in float16 at 32x32, of the sizes 32 -> 16 -> 8 -> 4 -> 2 -> 1', () => {
    const subject = flowSubject(pix2pix, pix2pix.presets.small!, colour, 0.3, colour);
    expect(halfPrecisionBytes(subject)).toBeLessThan(4e6);
    expect(subject.model.noises.map(({ shape }) => shape)).toEqual([
      [2, 2, 128],
      [4, 4, 128],
      [8, 8, 64],
    ]);
  });

  it("no-skips: the same layers, whose inputs are the decoder's own maps alone", () => {
    const count = (preset: string) => parameterCounts(pix2pix, pix2pix.presets[preset]!, colour, colour).generator!;
    const across = 128 * 128 + 128 * 64 + 64 * 32 + 32 * 3;
    expect(count('small') - count('no-skips')).toBe(16 * across);
  });
});

describe('the PatchGAN', () => {
  const scope = new Scope();
  const judge = patchDiscriminator(scope, { width: 2, layers: 1, normDecay: 0.9 }, 1);
  const state = movedState(scope.variables(), 0.3);

  it('changes its mind on those patches alone that hold a changed pixel', async () => {
    const side = 32;
    const x = float32([1, side, side, 1], normals('patches', [side, side]));
    const verdicts = async (data: typeof x) =>
      (await evaluate(scope.variables(), state, data, rows => ({ logits: judge(rows, 'serve') }))).logits!;
    const before = await verdicts(x);
    expect(before.shape).toEqual([1, 16, 16, 1]);
    const moved = float32(
      x.shape,
      x.data.map((value, i) => (i === 16 * side + 16 ? value + 5 : value)),
    );
    const after = await verdicts(moved);
    const changed = [...before.data.keys()].filter(i => before.data[i] !== after.data[i]);
    const lines = changed.map(i => Math.floor(i / 16));
    // A patch is 16 pixels, and one begins at every second pixel.
    expect(Math.max(...lines) - Math.min(...lines) + 1).toBe(8);
    expect(changed).toHaveLength(64);
  });
});
