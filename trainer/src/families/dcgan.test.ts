import { fillNoise, float32 } from '@genserve/runtime';
import { describe, expect, it } from 'vitest';
import { compiledEngine } from '../engine/compiled.js';
import { eagerEngine } from '../engine/eager.js';
import type { State } from '../engine/program.js';
import { createSession } from '../engine/session.js';
import { operationProgram } from '../export/operation-program.js';
import { floats } from '../testing/agreement.js';
import { flowSubject, greatestDifference, halfPrecisionBytes, imageDomain } from '../testing/flows.js';
import { compiledAgainstEager, parameterCounts, runRounds } from '../testing/rounds.js';
import { exportOperations } from '../trace/operations.js';
import { dcgan } from './dcgan.js';

const mnist = imageDomain(28, 28, 256);
const tinyDomain = imageDomain(10, 7, 256, 2);
const tiny = { latent: 3, width: 4, hidden: 6, size: 3 };
const options = { family: dcgan, settings: tiny, domain: tinyDomain, batch: 5 };

describe('a training step of DCGAN', () => {
  it('equals tfjs on its cpu backend: both networks, their statistics and optimisers after two rounds', async () => {
    const settings = { ...tiny, instanceNoise: { deviation: 0.1 }, labelSmoothing: 0.1, generatorSteps: 2 };
    expect((await compiledAgainstEager({ ...options, settings }, 2)).difference).toBeLessThan(1e-3);
  });

  it('changes the network that it trains, statistics included, and nothing of the other', async () => {
    const { states } = await runRounds(options, eagerEngine(), 2);
    const changed = (a: State, b: State) =>
      new Set([...a.keys()].filter(name => greatestDifference(a.get(name)!, b.get(name)!) > 0).map(networkOf));
    for (const [index, { after, state }] of states.entries())
      if (index > 0) expect(changed(states[index - 1]!.state, state)).toEqual(new Set([after]));
    const { state } = states.at(-1)!;
    expect(state.get('generator/project/norm/count')![0]).toBe(2);
    // Real and generated pictures are two batches a step.
    expect(state.get('discriminator/convolution2/norm/count')![0]).toBe(4);
  });

  it('starts from weights of N(0, 0.02^2) and gains of N(1, 0.02^2)', async () => {
    const { states } = await runRounds({ ...options, settings: dcgan.presets.small!, domain: mnist }, eagerEngine(), 0);
    const deviation = (name: string, mean: number) => {
      const values = states[0]!.state.get(name)!;
      return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    };
    expect(deviation('generator/project/kernel', 0)).toBeCloseTo(0.02, 4);
    expect(deviation('discriminator/convolution2/filter', 0)).toBeCloseTo(0.02, 3);
    expect(deviation('discriminator/dense/norm/gain', 1)).toBeCloseTo(0.02, 2);
    // Neither the generator's output nor the discriminator's input is normalised (sec. 3).
    const names = [...states[0]!.state.keys()];
    expect(names).toContain('discriminator/convolution2/norm/mean');
    expect(names).not.toContain('discriminator/convolution1/norm/mean');
    expect(names).not.toContain('generator/output/norm/mean');
  });
});

/** The network that a variable, or an optimiser's variable (which bears its step's name), belongs to. */
function networkOf(name: string): string {
  return name.split('/')[0]!;
}

describe('DCGAN as it is served', () => {
  const subject = flowSubject(dcgan, tiny, tinyDomain);

  it.each(['sample', 'decode', 'critic'])('gives a row the same %s whatever its batch', async name => {
    const programs = subject.model.operations.map(operation => operationProgram(operation, subject.variables));
    const { operations, weights } = exportOperations(programs, subject.state);
    const index = operations.findIndex(operation => operation.name === name);
    const session = await createSession(operations[index]!.model, { weights, threads: 1 });
    const run = async (first: number, count: number) => {
      const feeds = programs[index]!.inputs.map(({ name: port, shape }) => {
        const row = shape.slice(1) as number[]; // only dimension 0 is the batch
        const noise = { seed: 1, name: port, distribution: 'uniform', shape: row, firstIndex: first, count } as const;
        return [port, float32([count, ...row], fillNoise(noise))] as const;
      });
      return Object.values(await session.run(Object.fromEntries(feeds)))[0]!.data;
    };
    const together = await run(0, 64);
    const size = together.length / 64;
    for (const row of [0, 17, 63])
      expect([...(await run(row, 1))]).toEqual([...together.subarray(row * size, (row + 1) * size)]);
    await session.close();
  });

  it('draws pictures in [0, 1], of which temperature 0 leaves one', async () => {
    const sample = subject.model.operations.find(({ name }) => name === 'sample')!;
    const executable = await compiledEngine({ threads: 1 }).compile(operationProgram(sample, subject.variables), 4);
    const temperature = float32([4], Float32Array.of(0, 0, 1, 3));
    const { x } = await executable.run({ z: floats([4, 3]), temperature }, subject.state);
    await executable.close();
    expect(Math.min(...x!.data)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...x!.data)).toBeLessThanOrEqual(1);
    const [first, second, third] = [0, 1, 2].map(row => [...x!.data.subarray(140 * row, 140 * (row + 1))]);
    expect(second).toEqual(first);
    expect(third).not.toEqual(first);
  });
});

describe('the presets of DCGAN', () => {
  it('small: at most 4 MB in float16 on MNIST, of the sizes 28 -> 14 -> 7', () => {
    expect(halfPrecisionBytes(flowSubject(dcgan, dcgan.presets.small!, mnist))).toBeLessThan(4e6);
    expect(parameterCounts(dcgan, dcgan.presets.small!, mnist)).toEqual({
      generator: 100 * 256 + 2 * 256 + (256 * 3136 + 2 * 64) + (25 * 64 * 32 + 2 * 32) + (25 * 32 + 1),
      discriminator: 25 * 32 + 32 + (25 * 32 * 64 + 2 * 64) + (3136 * 256 + 2 * 256) + 256 + 1,
    });
  });

  it('scoring: no verdict depends on the other rows of its batch, not in training either', async () => {
    const { states } = await runRounds({ ...options, settings: dcgan.presets.scoring! }, eagerEngine(), 0);
    const names = [...states[0]!.state.keys()];
    expect(names.some(name => name.startsWith('generator/') && name.includes('/norm/'))).toBe(true);
    expect(names.filter(name => name.startsWith('discriminator/') && name.includes('/norm/'))).toEqual([]);
  });
});
