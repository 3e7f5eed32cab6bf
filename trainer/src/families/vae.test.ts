import { elbo, fillNoise, iwae } from '@genserve/runtime';
import { describe, expect, it } from 'vitest';
import { compiledEngine } from '../engine/compiled.js';
import { eagerEngine } from '../engine/eager.js';
import { Scope } from '../nn/variable.js';
import { allImages, runOperation, type TinyVae, tinyVae } from '../testing/tiny-vae.js';
import { vae } from './vae.js';

const eager = eagerEngine();
const model = tinyVae();

/** log_prob of all 16 images for each epsilon: [epsilons][16]. */
async function logWeights(tiny: TinyVae, epsilons: ArrayLike<number>): Promise<Float64Array[]> {
  const rows = 16 * epsilons.length;
  const images = allImages().data;
  const x = { dtype: 'float32', shape: [rows, 2, 2, 1], data: new Float32Array(4 * rows) } as const;
  const epsilon = { dtype: 'float32', shape: [rows, 1], data: new Float32Array(rows) } as const;
  for (let i = 0; i < epsilons.length; i++) {
    x.data.set(images, 64 * i);
    epsilon.data.fill(epsilons[i]!, 16 * i, 16 * (i + 1));
  }
  const { log_prob } = await runOperation(tiny, 'log_prob', { x, epsilon }, eager);
  return Array.from({ length: epsilons.length }, (_, i) =>
    Float64Array.from(log_prob!.data.subarray(16 * i, 16 * i + 16)),
  );
}

/** p(x) of all 16 images: the integral of N(epsilon; 0, 1) exp(log_prob) by the trapezoidal rule, which is exact to rounding here. */
async function likelihoods(tiny: TinyVae): Promise<number[]> {
  const step = 0.05;
  const grid = Array.from({ length: 401 }, (_, i) => (i - 200) * step);
  const weights = await logWeights(tiny, grid);
  return Array.from({ length: 16 }, (_, image) =>
    grid.reduce((sum, epsilon, i) => {
      const density = Math.exp(-0.5 * epsilon ** 2) / Math.sqrt(2 * Math.PI);
      return sum + step * density * Math.exp(weights[i]![image]!);
    }, 0),
  );
}

describe('the likelihood of a VAE', () => {
  it('sums to 1 over all images', async () => {
    const probabilities = await likelihoods(model);
    expect(probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 4);
    expect(Math.max(...probabilities)).toBeGreaterThan(2 * Math.min(...probabilities));
  });

  it('agrees with a sum over the prior, which does not use the encoder', async () => {
    const step = 0.05;
    const grid = Float32Array.from({ length: 401 }, (_, i) => (i - 200) * step);
    const z = { dtype: 'float32', shape: [401, 1], data: grid } as const;
    const pixels = (await runOperation(model, 'decode', { z }, eager)).x!.data;
    const images = allImages().data;
    const expected = Array.from({ length: 16 }, (_, image) =>
      grid.reduce((sum, code, i) => {
        let probability = (step * Math.exp(-0.5 * code ** 2)) / Math.sqrt(2 * Math.PI);
        for (let pixel = 0; pixel < 4; pixel++) {
          const p = pixels[4 * i + pixel]!;
          probability *= images[4 * image + pixel] === 1 ? p : 1 - p;
        }
        return sum + probability;
      }, 0),
    );
    (await likelihoods(model)).forEach((p, image) => {
      expect(p).toBeCloseTo(expected[image]!, 4);
    });
  });

  it('is bounded by ELBO <= IWAE(k) <= log p(x), and IWAE comes near it', async () => {
    const k = 400;
    const noise = fillNoise({ seed: 3, name: 'epsilon', distribution: 'normal', shape: [1], count: k });
    const weights = await logWeights(model, noise);
    const exact = (await likelihoods(model)).map(Math.log);
    for (let image = 0; image < 16; image++) {
      const own = Float64Array.from(weights, row => row[image]!);
      const [lower, tight] = [elbo(own), iwae(own)];
      expect(lower.logProb).toBeLessThan(tight.logProb);
      expect(Math.abs(tight.logProb - exact[image]!)).toBeLessThan(4 * tight.standardError + 1e-4);
    }
  });
});

describe('the operations of a VAE', () => {
  const images = allImages();
  const epsilon = {
    dtype: 'float32',
    shape: [16, 1],
    data: fillNoise({ seed: 1, name: 'epsilon', distribution: 'normal', shape: [1], count: 16 }),
  } as const;
  const temperature = (value: number) =>
    ({ dtype: 'float32', shape: [16], data: new Float32Array(16).fill(value) }) as const;

  it('give the same numbers compiled and eager', async () => {
    const feeds = { x: images, epsilon };
    for (const name of ['log_prob', 'log_prob_map']) {
      const [compiled] = Object.values(await runOperation(model, name, feeds, compiledEngine({ threads: 1 })));
      const [expected] = Object.values(await runOperation(model, name, feeds, eager));
      compiled!.data.forEach((value, i) => {
        expect(Math.abs(value - expected!.data[i]!)).toBeLessThan(1e-4 * Math.max(1, Math.abs(value)));
      });
    }
  });

  it('have a map that sums to log p(x | z): log_prob less its part that has no place', async () => {
    const gentle = tinyVae(1.5);
    const { map } = await runOperation(gentle, 'log_prob_map', { x: images, epsilon }, eager);
    const { y } = await runOperation(gentle, 'reconstruct', { x: images, epsilon, temperature: temperature(1) }, eager);
    for (let image = 0; image < 16; image++) {
      let [sum, expected] = [0, 0];
      for (let pixel = 4 * image; pixel < 4 * image + 4; pixel++) {
        sum += map!.data[pixel]!;
        expected += Math.log(images.data[pixel] === 1 ? y!.data[pixel]! : 1 - y!.data[pixel]!);
      }
      // 1 - y loses digits where y is near 1.
      expect(Math.abs(sum - expected)).toBeLessThan(1e-3 * Math.max(1, Math.abs(expected)));
    }
  });

  it('decode what they encode as they reconstruct it without noise', async () => {
    const { z } = await runOperation(model, 'encode', { x: images }, eager);
    const { x } = await runOperation(model, 'decode', { z: z! }, eager);
    const still = { ...epsilon, data: new Float32Array(16) };
    const { y } = await runOperation(
      model,
      'reconstruct',
      { x: images, epsilon: still, temperature: temperature(1) },
      eager,
    );
    expect([...x!.data]).toEqual([...y!.data]);
  });

  it('multiply the noise of a sample by its temperature', async () => {
    const half = { ...epsilon, data: epsilon.data.map(value => value / 2) };
    const hot = await runOperation(model, 'sample', { z: half, temperature: temperature(2) }, eager);
    const plain = await runOperation(model, 'sample', { z: epsilon, temperature: temperature(1) }, eager);
    expect([...hot.x!.data]).toEqual([...plain.x!.data]);
  });
});

describe('the preset "thesis"', () => {
  it('has the 613,665 parameters of the published network on MNIST', () => {
    const scope = new Scope();
    const image = { height: 28, width: 28, channels: 1, levels: 2, binarisation: 'dynamic', polarity: '', labels: [] };
    vae.build(vae.configuration.parse(vae.presets.thesis), { image }, scope);
    const count = scope.variables().reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    expect(count).toBe(613_665);
  });
});
