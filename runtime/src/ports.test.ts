import { describe, expect, it } from 'vitest';
import { fixtureFiles } from '../fixtures/session.mjs';
import { type Domain, findOperation } from './manifest.js';
import { fillNoise } from './noise.js';
import { parseManifest } from './parse-manifest.js';
import { buildFeeds, isScoring, OperationInputs, quantise } from './ports.js';
import { float32 } from './tensor.js';
import { fromUtf8 } from './text.js';

const manifestOf = (name: 'tiny' | 'tiny-rows') =>
  parseManifest(JSON.parse(fromUtf8(fixtureFiles(name)['manifest.json']!)));
const tiny = manifestOf('tiny');
const rows = manifestOf('tiny-rows');
const shape = [16, 16, 1];

describe('buildFeeds', () => {
  it('draws noise of sample firstIndex + row, fills defaults, and leaves nothing out', () => {
    const feeds = buildFeeds(tiny, findOperation(tiny, 'sample'), 3, {}, { seed: 7, firstIndex: 2 });
    const noise = fillNoise({ seed: 7, name: 'z', distribution: 'normal', shape, firstIndex: 2, count: 3 });
    expect(feeds).toEqual({ z: float32([3, ...shape], noise), temperature: float32([3], [1, 1, 1]) });
  });

  it('gives every row of a scoring operation the noise of sample 0, draw by draw', () => {
    const operation = findOperation(tiny, 'log_prob');
    const data = float32([1, ...shape], new Float32Array(256));
    const { x, epsilon } = buildFeeds(tiny, operation, 2, { x: data }, { seed: 7, firstIndex: 5, draw: 3 });
    const noise = fillNoise({ seed: 7, name: 'epsilon', distribution: 'normal', shape, draw: 3 });
    expect(x!.shape).toEqual([2, ...shape]);
    expect(epsilon!.data).toEqual(Float32Array.from([...noise, ...noise]));
  });

  it('takes noise that the caller holds fixed', () => {
    const z = float32([2, ...shape], new Float32Array(512).fill(0.25));
    expect(buildFeeds(tiny, findOperation(tiny, 'sample'), 2, { z }, { seed: 0 }).z).toEqual(z);
  });

  it('gives scalars, states and labels of an autoregressive graph', () => {
    const feeds = buildFeeds(rows, findOperation(rows, 'sample'), 2, {}, { seed: 2 });
    expect(feeds.row_count).toEqual({ dtype: 'int32', shape: [], data: Int32Array.of(4) });
    expect(feeds.last).toEqual(float32([2], [0, 0]));
    expect(Array.from(feeds.label!.data).every(label => label === 0 || label === 1)).toBe(true);
  });

  it('hands out arrays of its own, which may be transferred', () => {
    const z = float32([1, ...shape], new Float32Array(256));
    const feeds = buildFeeds(tiny, findOperation(tiny, 'decode'), 1, { z }, { seed: 0 });
    expect(feeds.z!.data.buffer).not.toBe(z.data.buffer);
  });

  it('names what it does not know and what is missing, as the caller calls it', () => {
    const decode = findOperation(tiny, 'decode');
    const build = (given: Record<string, ReturnType<typeof float32>>) => () =>
      buildFeeds(tiny, decode, 1, given, { seed: 0, fieldOf: port => `inputs.${port.name}` });
    expect(build({ y: float32([1], [0]) })).toThrow(expect.objectContaining({ field: 'y' }));
    expect(build({})).toThrow(expect.objectContaining({ field: 'inputs.z' }));
  });
});

describe('OperationInputs', () => {
  it('gives the rows and draws that are asked for, in any order', () => {
    const data = float32(
      [2, ...shape],
      Float32Array.from({ length: 512 }, (_, i) => (i < 256 ? 0 : 1)),
    );
    const inputs = new OperationInputs(tiny, findOperation(tiny, 'log_prob'), 2, { x: data }, 3);
    const { x, epsilon } = inputs.feeds([
      { index: 1, sample: 0, draw: 9 },
      { index: 0, sample: 0, draw: 9 },
      { index: 1, sample: 4, draw: 0 },
    ]);
    expect([0, 256, 512].map(i => x!.data[i])).toEqual([1, 0, 1]);
    const noise = (firstIndex: number, draw: number) =>
      fillNoise({ seed: 3, name: 'epsilon', distribution: 'normal', shape, firstIndex, draw });
    expect(epsilon!.data).toEqual(Float32Array.from([...noise(0, 9), ...noise(0, 9), ...noise(4, 0)]));
  });

  it("binarises a row alike wherever it is asked for, and leaves the caller's grey values alone", () => {
    const domain: Domain = { image: { ...tiny.domain!.image!, levels: 2, binarisation: 'dynamic' } };
    const data = float32([2, ...shape], new Float32Array(512).fill(0.5));
    const inputs = new OperationInputs({ ...tiny, domain }, findOperation(tiny, 'log_prob'), 2, { x: data }, 3);
    const [first, again] = [0, 1].map(draw => {
      const { x } = inputs.feeds([0, 1].map(row => ({ index: (row + draw) % 2, sample: 0, draw })));
      return [x!.data.slice(0, 256), x!.data.slice(256)];
    });
    for (const drawn of [first![1], again![0], again![1]]) expect(drawn).toEqual(first![0]);
    expect(new Set(first![0])).toEqual(new Set([0, 1]));
    expect(data.data.every(value => value === 0.5)).toBe(true);
  });
});

describe('quantise', () => {
  const image = (levels: number, binarisation: string): Domain => ({
    image: { height: 1, width: 4, channels: 1, levels, binarisation, polarity: '', labels: [] },
  });
  const grey = () => Float32Array.of(0, 0.499, 0.5, 1);

  it('leaves continuous data, and data at their levels, as they are', () => {
    expect(quantise(grey(), image(0, 'none'), 0)).toEqual(grey());
    for (const binarisation of ['none', 'dynamic', 'threshold', 'static'])
      expect([...quantise(Float32Array.of(0, 1, 1, 0), image(2, binarisation), 0)]).toEqual([0, 1, 1, 0]);
  });

  it('cuts at one half for threshold and static', () => {
    for (const binarisation of ['threshold', 'static'])
      expect(Array.from(quantise(grey(), image(2, binarisation), 0))).toEqual([0, 0, 1, 1]);
  });

  it('draws from Bernoulli(grey) for dynamic, the same for equal rows of a seed', () => {
    const share = 0.3;
    const many = () => new Float32Array(4 * 2000).fill(share);
    const domain: Domain = { image: { ...image(2, 'dynamic').image!, height: 1000 } };
    const drawn = quantise(many(), domain, 5);
    expect(drawn.slice(0, 4000)).toEqual(drawn.slice(4000));
    expect(Math.abs(drawn.reduce((sum, value) => sum + value, 0) / 8000 - share)).toBeLessThan(0.03);
    expect(quantise(many(), domain, 6)).not.toEqual(drawn);
  });

  it('refuses grey values where the domain states no binarisation', () => {
    expect(() => quantise(grey(), image(2, 'none'), 0, 'inputs')).toThrow(/^inputs: must be 0 or 1 everywhere/);
  });

  it('takes the nearest of more levels', () => {
    expect(Array.from(quantise(Float32Array.of(0, 0.4, 0.6, 1), image(3, 'none'), 0))).toEqual([0, 0.5, 0.5, 1]);
  });
});

it.each([
  ['log_prob', true],
  ['log_prob.3', true],
  ['log_prob_map', true],
  ['background_log_prob', true],
  ['classify', true],
  ['gradient_norms', true],
  ['sample', false],
  ['encode', false],
])('%s scores: %s', (operation, scores) => expect(isScoring(operation)).toBe(scores));
