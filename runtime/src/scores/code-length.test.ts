import { describe, expect, it } from 'vitest';
import { NoiseStream } from '../noise.js';
import { codeLength } from './code-length.js';

const image = (height: number, width: number, levels: number, channels = 1) => ({
  height,
  width,
  channels,
  levels,
  binarisation: 'none',
  polarity: '',
  labels: [],
});

/** Sum over all pictures of 2^-bits: at most 1 for a code that can be read back. */
function kraftSum(height: number, width: number, levels: number): number {
  const pixels = height * width;
  let sum = 0;
  for (let code = 0; code < levels ** pixels; code++) {
    const picture = Array.from({ length: pixels }, (_, i) => (Math.floor(code / levels ** i) % levels) / (levels - 1));
    sum += 2 ** -codeLength(picture, image(height, width, levels));
  }
  return sum;
}

const noise = (size: number) => {
  const values = new Float32Array(size);
  new NoiseStream(3, 'pixels', 'uniform').fill(values, 0);
  return values.map(value => Math.floor(256 * value) / 255);
};

describe('codeLength', () => {
  it('is that of a code that can be read back and wastes nothing, for binary pictures', () => {
    expect(kraftSum(3, 4, 2)).toBeCloseTo(1, 2);
  });

  it('is that of a code that can be read back, for grey pictures', () => {
    for (const [height, width, levels] of [
      [1, 2, 256],
      [2, 2, 16],
      [2, 3, 5],
    ] as const) {
      const sum = kraftSum(height, width, levels);
      expect(sum).toBeLessThan(1.005);
      expect(sum).toBeGreaterThan(0.5);
    }
  });

  it('of a black picture is the closed form of the Krichevsky-Trofimov estimator', () => {
    // All n pixels have one context: P = product of (2 k + 1) / (2 k + 2).
    const n = 64;
    let bits = 0;
    for (let k = 0; k < n; k++) bits -= Math.log2((2 * k + 1) / (2 * k + 2));
    expect(codeLength(new Float32Array(n), image(8, 8, 2))).toBeCloseTo(bits, 1);
  });

  it('is bits for the whole picture: near 8 for each pixel of noise, and near none for a constant', () => {
    const size = 28 * 28;
    const random = codeLength(noise(size), image(28, 28, 256));
    expect(random).toBeGreaterThan(7.9 * size);
    expect(random).toBeLessThan(9 * size);
    expect(codeLength(new Float32Array(size).fill(0.2), image(28, 28, 256))).toBeLessThan(0.15 * size);
  });

  it('grows with what there is to say', () => {
    const smooth = Float32Array.from({ length: 784 }, (_, i) => (i % 28) / 28 + Math.floor(i / 28) / 2800);
    const random = noise(784);
    const lengths = [0, 0.02, 0.2, 1].map(share =>
      codeLength(
        smooth.map((value, i) => (1 - share) * value + share * random[i]!),
        image(28, 28, 256),
      ),
    );
    expect(lengths).toEqual([...lengths].sort((a, b) => a - b));
  });

  it('is the same number everywhere: known answers', () => {
    expect(codeLength(noise(784), image(28, 28, 256))).toBe(KNOWN.grey);
    expect(codeLength(noise(784).map(Math.round), image(28, 28, 2))).toBe(KNOWN.binary);
    expect(codeLength(noise(768), image(16, 16, 256, 3))).toBe(KNOWN.colour);
  });

  it('refuses data without levels', () => {
    expect(() => codeLength([0.5], image(1, 1, 0))).toThrow(/levels/);
    expect(() => codeLength([0.5], undefined)).toThrow(/levels/);
  });
});

const KNOWN = { grey: 6422.045654296875, binary: 869.20654296875, colour: 6457.433837890625 };
