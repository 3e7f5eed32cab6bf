import { describe, expect, it } from 'vitest';
import known from '../fixtures/noise.json' with { type: 'json' };
import { checkSeed, type Distribution, drawSeed, fillNoise, fnv1a, philox } from './noise.js';

/** Philox4x32-10 in BigInt, straight from Salmon et al. 2011, section 3.3: nothing shared with the code under test. */
function philoxBig(counter: bigint[], key: bigint[]): bigint[] {
  const mask = 0xffffffffn;
  let [c0, c1, c2, c3] = counter as [bigint, bigint, bigint, bigint];
  let [k0, k1] = key as [bigint, bigint];
  for (let round = 0; round < 10; round++) {
    const first = 0xd2511f53n * c0;
    const second = 0xcd9e8d57n * c2;
    [c0, c1, c2, c3] = [(second >> 32n) ^ c1 ^ k0, second & mask, (first >> 32n) ^ c3 ^ k1, first & mask];
    k0 = (k0 + 0x9e3779b9n) & mask;
    k1 = (k1 + 0xbb67ae85n) & mask;
  }
  return [c0, c1, c2, c3];
}

function noiseBig(seed: number, name: string, distribution: Distribution, size: number, sample: number, draw: number) {
  const values: number[] = [];
  const key = [BigInt(seed) & 0xffffffffn, BigInt(seed) >> 32n];
  for (let block = 0; values.length < size; block++) {
    const words = philoxBig([BigInt(block), BigInt(sample), BigInt(draw), BigInt(fnv1a(name))], key);
    const uniforms = words.map(word => (Number(word >> 9n) + 0.5) / 2 ** 23);
    for (const pair of [0, 2]) {
      const [a, b] = [uniforms[pair]!, uniforms[pair + 1]!];
      const radius = Math.sqrt(-2 * Math.log(a));
      values.push(
        ...(distribution === 'uniform'
          ? [a, b]
          : [radius * Math.cos(2 * Math.PI * b), radius * Math.sin(2 * Math.PI * b)]),
      );
    }
  }
  return values.slice(0, size).map(Math.fround);
}

describe('philox', () => {
  // Published with the Random123 library (kat_vectors, philox 4x32 10).
  it.each([
    [[0, 0, 0, 0], [0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    [Array(4).fill(0xffffffff), Array(2).fill(0xffffffff), '408f276d 41c83b0e a20bc7c6 6d5451fd'],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], 'd16cfe09 94fdcceb 5001e420 24126ea1'],
  ])('gives the published answer for counter %j and key %j', (counter, key, answer) => {
    const words = new Uint32Array(4);
    const [c0, c1, c2, c3] = counter as [number, number, number, number];
    const [k0, k1] = key as [number, number];
    philox(words, c0, c1, c2, c3, k0, k1);
    expect(Array.from(words, word => word.toString(16).padStart(8, '0')).join(' ')).toBe(answer);
  });
});

describe('fnv1a', () => {
  it.each([
    ['', 0x811c9dc5],
    ['a', 0xe40c292c],
    ['foobar', 0xbf9cf968],
  ])('hashes %j as published', (text, hash) => expect(fnv1a(text)).toBe(hash));
});

describe('fillNoise', () => {
  it.each(['uniform', 'normal'] as const)('gives the known %s answers', distribution => {
    const values = Array.from(fillNoise({ ...known, distribution }));
    expect(values).toEqual(known[distribution]);
    expect(values).toEqual(noiseBig(known.seed, known.name, distribution, 64, known.firstIndex, known.draw));
  });

  it.each([
    [2 ** 53 - 1, 'z', [3, 5], 2 ** 32 - 2, 2 ** 32 - 1],
    [1, 'critic3/epsilon', [7], 0, 0],
    [4294967296, 'größe', [], 12, 4],
  ])('agrees with BigInt arithmetic for seed %d, name %s, shape %j', (seed, name, shape, firstIndex, draw) => {
    const size = shape.reduce((product, length) => product * length, 1);
    const got = Array.from(fillNoise({ seed, name, shape, firstIndex, draw, distribution: 'normal', count: 2 }));
    const expected = [firstIndex, firstIndex + 1].flatMap(i => noiseBig(seed, name, 'normal', size, i, draw));
    expect(got).toEqual(expected);
  });

  it('makes a row depend on its index alone, not on what it is drawn with', () => {
    const request = { seed: 7, name: 'z', distribution: 'normal', shape: [13] } as const;
    const sixteen = fillNoise({ ...request, count: 16 });
    expect(fillNoise({ ...request, firstIndex: 3 })).toEqual(sixteen.slice(3 * 13, 4 * 13));
  });

  it('has the moments of its distributions, and uniforms that are never 0 or 1', () => {
    const moments = (values: Float32Array) => {
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      return { mean, variance: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length };
    };
    const request = { seed: 3, name: 'z', shape: [200_000] } as const;
    const uniform = fillNoise({ ...request, distribution: 'uniform' });
    expect(uniform.every(value => value > 0 && value < 1)).toBe(true);
    expect(moments(uniform).mean).toBeCloseTo(0.5, 2);
    expect(moments(uniform).variance).toBeCloseTo(1 / 12, 2);
    const normal = moments(fillNoise({ ...request, distribution: 'normal' }));
    expect(Math.abs(normal.mean)).toBeLessThan(0.01);
    expect(Math.abs(normal.variance - 1)).toBeLessThan(0.02);
  });

  it('refuses indices that the counter cannot hold, naming the field', () => {
    const request = { seed: 0, name: 'z', distribution: 'normal', shape: [1] } as const;
    expect(() => fillNoise({ ...request, firstIndex: 2 ** 32 })).toThrow(/^firstIndex: must be an integer from 0 to/);
    expect(() => fillNoise({ ...request, draw: -1 })).toThrow(/^draw: /);
    expect(() => fillNoise({ ...request, count: 1.5 })).toThrow(/^count: /);
  });

  it('draws 64 x 784 normals in less than a step', () => {
    const request = { seed: 0, name: 'z', distribution: 'normal', shape: [784], count: 64 } as const;
    fillNoise(request);
    const start = performance.now();
    fillNoise(request);
    expect(performance.now() - start).toBeLessThan(250);
  });
});

describe('seeds', () => {
  it.each([-1, 0.5, 2 ** 53, Number.NaN, Infinity])('refuses %d', seed => {
    expect(() => checkSeed(seed)).toThrow(/^seed: must be an integer from 0 to 9007199254740991, was/);
  });

  it('draws seeds that are valid and differ', () => {
    const seeds = Array.from({ length: 100 }, drawSeed);
    for (const seed of seeds) expect(checkSeed(seed)).toBe(seed);
    expect(new Set(seeds).size).toBe(100);
  });
});
