import { describe, expect, it } from 'vitest';
import { eagerEngine } from '../engine/eager.js';
import { floats } from '../testing/agreement.js';
import { flowSubject, greatestDifference, halfPrecisionBytes, imageDomain, runFlow } from '../testing/flows.js';
import { compiledAgainstEager, parameterCounts, runRounds } from '../testing/rounds.js';
import { wganGp } from './wgan-gp.js';

const mnist = imageDomain(28, 28, 256);
const tinyDomain = imageDomain(9, 7, 256, 2);
const tiny = { latent: 3, generatorWidth: 3, criticWidth: 3, levels: 2, size: 3, criticSteps: 2 };
const options = { family: wganGp, settings: tiny, domain: tinyDomain, batch: 4 };

describe('a training step of WGAN-GP', () => {
  it('equals tfjs on its cpu backend, second-order gradients and all, after two rounds', async () => {
    expect((await compiledAgainstEager(options, 2)).difference).toBeLessThan(1e-3);
  });

  it("tells the critic's loss without the penalty and the norm of the gradients, and moves one network at a time", async () => {
    const { states, outputs } = await runRounds(options, eagerEngine(), 1);
    const { critic_loss: difference, critic_gradient_norm: norm, loss } = outputs[0]!.values;
    expect(Object.keys(outputs[0]!.values)).toEqual(['critic_loss', 'critic_gradient_norm', 'loss', 'gradient_norm']);
    // E[(|g| - 1)^2] >= (E|g| - 1)^2
    const penalty = (loss!.data[0]! - difference!.data[0]!) / 10;
    expect(penalty).toBeGreaterThan(0.9 * (norm!.data[0]! - 1) ** 2 - 1e-3);
    const moved = (network: string, before: number) =>
      [...states[before]!.state].some(
        ([name, values]) =>
          name.startsWith(`${network}/`) && greatestDifference(values, states[before + 1]!.state.get(name)!) > 0,
      );
    expect([moved('critic', 0), moved('generator', 0)]).toEqual([true, false]);
    expect([moved('critic', 1), moved('generator', 1)]).toEqual([false, true]);
  });

  it.each(['no-batch-norm', 'mlp'])('trains the generator "%s" of the robustness table as well', async generator => {
    const { outputs } = await runRounds({ ...options, settings: { ...tiny, generator } }, eagerEngine(), 1);
    expect(outputs.every(({ values }) => Number.isFinite(values.loss!.data[0]!))).toBe(true);
  });
});

describe('the critic of WGAN-GP', () => {
  it('normalises nothing over the batch, whatever the generator', async () => {
    const { states } = await runRounds(options, eagerEngine(), 0);
    const names = [...states[0]!.state.keys()];
    expect(names.filter(name => name.startsWith('critic/') && name.includes('norm'))).toEqual([]);
    expect(names.some(name => name.startsWith('generator/') && name.includes('norm'))).toBe(true);
  });

  it('gives a picture a score of its own', async () => {
    const subject = flowSubject(wganGp, tiny, tinyDomain);
    const x = floats([3, 9, 7, 2], 4, 0, 1);
    const { score } = await runFlow(subject, 'critic', { x });
    const second = { ...x, shape: [1, 9, 7, 2], data: x.data.slice(126, 252) };
    const alone = await runFlow(subject, 'critic', { x: second });
    expect(score!.shape).toEqual([3]);
    expect(alone.score!.data[0]).toBeCloseTo(score!.data[1]!, 6);
  });
});

describe('the presets of WGAN-GP', () => {
  it.each(['small', 'no-batch-norm', 'mlp'])('%s is at most 4 MB in float16 on MNIST', preset => {
    expect(halfPrecisionBytes(flowSubject(wganGp, wganGp.presets[preset]!, mnist))).toBeLessThan(4e6);
  });

  it('paper has the networks of the authors for MNIST, sizes 28 -> 14 -> 7 -> 4', () => {
    const critic = [25 * 64 + 64, 25 * 64 * 128 + 128, 25 * 128 * 256 + 256, 4 * 4 * 256 + 1];
    expect(parameterCounts(wganGp, wganGp.presets.paper!, mnist).critic).toBe(critic.reduce((sum, each) => sum + each));
  });

  it('no-batch-norm has no normalisation and one width; mlp four layers of 512', () => {
    const generator = (preset: string) => parameterCounts(wganGp, wganGp.presets[preset]!, mnist).generator;
    const filters = 2 * (25 * 32 * 32 + 32) + 25 * 32 + 1;
    expect(generator('no-batch-norm')).toBe(128 * 4 * 4 * 32 + 4 * 4 * 32 + filters);
    expect(generator('mlp')).toBe(128 * 512 + 3 * 512 * 512 + 4 * 512 + 512 * 784 + 784);
  });
});
