import { elbo, fillNoise, float32, int32, iwae, type Tensors } from '@genserve/runtime';
import { afterAll, describe, expect, test } from 'vitest';
import {
  allImages,
  BinarySubject,
  codes,
  erase,
  expectFrequencies,
  type ServedOperation,
  uniforms,
} from '../testing/binary-subject.js';
import { pixelVae } from './pixelvae.js';

const PARTICLES = 32;
const tiny = {
  latent: 1,
  hidden: [6],
  activation: 'elu',
  channels: 4,
  size: 3,
  firstSize: 3,
  head: 4,
  particles: PARTICLES,
};
const cases = [
  { name: 'with a map and gated layers', settings: { ...tiny, layers: 3 } },
  { name: 'with a map and layers that are not gated', settings: { ...tiny, gated: false, layers: 3 } },
  { name: 'with the code as a bias of every layer', settings: { ...tiny, conditioning: 'bias', layers: 3 } },
  { name: 'without autoregressive layers', settings: { ...tiny, layers: 0 } },
].map(each => ({ ...each, family: erase(pixelVae), classes: 0 }));

const served: ServedOperation[] = [];
afterAll(async () => {
  for (const operation of served) await operation.close();
});
async function serve(subject: BinarySubject, operation: string): Promise<ServedOperation['run']> {
  const session = await subject.serve(operation);
  served.push(session);
  return session.run;
}

const normals = (name: string, shape: number[], count: number) =>
  float32([count, ...shape], fillNoise({ seed: 5, name, distribution: 'normal', shape, count }));

/** Draws the posterior towards N(0, 1): a share of 0 leaves the code independent of the picture. */
function withPosterior(subject: BinarySubject, share: number): BinarySubject {
  for (const [name, values] of subject.state)
    if (name.startsWith('encoder/output')) for (const [i, value] of values.entries()) values[i] = share * value;
  return subject;
}

/** log_prob of each image for each epsilon: [epsilons][images]. */
async function logWeights(subject: BinarySubject, images: readonly number[], epsilons: ArrayLike<number>) {
  const n = subject.height * subject.width;
  const count = images.length / n;
  const run = await serve(subject, 'log_prob');
  return Promise.all(
    Array.from(epsilons, async epsilon => {
      const given = { x: subject.images(images), epsilon: float32([count, 1], new Array(count).fill(epsilon)) };
      return Float64Array.from((await run(count, given)).log_prob!.data);
    }),
  );
}

/** p(x) of each image: the integral over epsilon of N(epsilon; 0, 1) exp(log_prob), by the trapezoidal rule. */
async function likelihoods(subject: BinarySubject, images: readonly number[]): Promise<number[]> {
  const step = 0.05;
  const grid = Array.from({ length: 321 }, (_, i) => (i - 160) * step);
  const weights = await logWeights(subject, images, grid);
  const density = grid.map(epsilon => (step * Math.exp(-0.5 * epsilon ** 2)) / Math.sqrt(2 * Math.PI));
  return Array.from(weights[0]!, (_, image) =>
    weights.reduce((sum, row, i) => sum + density[i]! * Math.exp(row[image]!), 0),
  );
}

describe.each(cases)('a PixelVAE $name', subjectCase => {
  const autoregressive = subjectCase.settings.layers > 0;

  test('gives the 16 images of 2x2 pixels probabilities that sum to one, between ELBO and IWAE', async () => {
    const subject = withPosterior(new BinarySubject(subjectCase, 2, 2), 0.2);
    const images = allImages(4);
    const exact = await likelihoods(subject, images);
    expect(exact.reduce((sum, p) => sum + p)).toBeCloseTo(1, 3);
    expect(Math.max(...exact) / Math.min(...exact)).toBeGreaterThan(2);
    const epsilons = fillNoise({ seed: 3, name: 'epsilon', distribution: 'normal', shape: [1], count: 400 });
    const weights = await logWeights(subject, images, epsilons);
    for (let image = 0; image < 16; image++) {
      const own = Float64Array.from(weights, row => row[image]!);
      const [lower, tight] = [elbo(own), iwae(own)];
      expect(lower.logProb).toBeLessThan(tight.logProb);
      expect(tight.logProb - Math.log(exact[image]!)).toBeLessThan(4 * tight.standardError + 1e-3);
    }
  });

  test('shows no pixel itself or the future, given the code', async () => {
    const [height, width] = [4, 5];
    const n = height * width;
    const subject = withPosterior(new BinarySubject(subjectCase, height, width), 0);
    const image = uniforms(n).map(Math.round);
    const changed = Array.from({ length: n }, (_, q) => image.map((value, i) => (i === q ? 1 - value : value)));
    const x = subject.images([image, ...changed].flat());
    const epsilon = float32([n + 1, 1], new Array(n + 1).fill(0.7));
    const { map } = await (await serve(subject, 'log_prob_map'))(n + 1, { x, epsilon });
    for (let q = 0; q < n; q++) {
      const after = map!.data.subarray((q + 1) * n, (q + 2) * n);
      for (let i = 0; i < q; i++) expect(after[i], `pixel ${i} sees pixel ${q}`).toBe(map!.data[i]);
      expect(Math.exp(map!.data[q]!) + Math.exp(after[q]!), `pixel ${q} sees itself`).toBeCloseTo(1, 5);
      const later = after.subarray(q + 1).some((value, i) => value !== map!.data[q + 1 + i]);
      expect(later, `a later pixel sees pixel ${q}`).toBe(autoregressive && q < n - 1);
    }
  });

  test('draws a pixel with the very probability that the likelihood gives it', async () => {
    const subject = withPosterior(new BinarySubject(subjectCase, 4, 5), 0);
    const z = float32([1, 1], [0.7]);
    const decode = await serve(subject, 'decode');
    const { x } = await decode(1, { z, pixels: subject.images(uniforms(20)) });
    const { map } = await subject.eager('log_prob_map', 1, { x: x!, epsilon: z });
    // u just on either side of p(x_i = 1 | x_<i, z), all pixels before it as they were
    const one = Array.from(map!.data, (logProb, i) => (x!.data[i] === 1 ? Math.exp(logProb) : 1 - Math.exp(logProb)));
    for (const [margin, value] of [
      [-1e-4, 1],
      [1e-4, 0],
    ] as const) {
      const pixels = Array.from({ length: 20 }, (_, row) =>
        one.map((p, i) => (i === row ? p + margin : x!.data[i] === 1 ? 0 : 1)),
      );
      const drawn = await decode(20, {
        z: float32([20, 1], new Array(20).fill(0.7)),
        pixels: subject.images(pixels.flat()),
      });
      for (let i = 0; i < 20; i++) expect(drawn.x!.data[21 * i], `pixel ${i}`).toBe(value);
    }
  });

  test('samples what its likelihood says, and completes by the conditional', async () => {
    const subject = withPosterior(new BinarySubject(subjectCase, 2, 2), 0.2);
    const exact = await likelihoods(subject, allImages(4));
    const count = 4096;
    const z = normals('z', [1], count);
    const { x } = await (await serve(subject, 'sample'))(count, { z, pixels: subject.images(uniforms(4 * count)) });
    expectFrequencies(codes(x!.data, 4), exact);

    // Known: pixel 0 is 1 and pixel 3 is 0.
    const matches = exact.map((p, code) => (code & 1 && !(code & 8) ? p : 0));
    const total = matches.reduce((sum, p) => sum + p);
    const rows = 1024;
    const complete = await serve(subject, 'complete');
    const { survival } = subject.feeds('complete', rows, {});
    const { y } = await complete(rows, {
      x: subject.images(Array.from({ length: rows }, () => [1, 0, 0, 0]).flat()),
      mask: subject.images(Array.from({ length: rows }, () => [1, 0, 0, 1]).flat()),
      particle_codes: normals('particle_codes', [PARTICLES, 1], rows),
      particle_pixels: float32([rows, PARTICLES, 2, 2, 1], uniforms(4 * rows * PARTICLES)),
      survival: float32(survival!.shape, uniforms(survival!.data.length)),
    });
    expectFrequencies(
      codes(y!.data, 4),
      matches.map(p => p / total),
      0.02,
    );
  });

  test.each(['decode', 'reconstruct', 'complete'])(
    'gives %s in slices of rows the bits of one run',
    async operation => {
      const subject = new BinarySubject(subjectCase, 4, 5);
      const spec = subject.model.operations.find(({ name }) => name === operation)!;
      const run = await serve(subject, operation);
      const noises = spec.inputs.filter(({ role }) => role === 'noise');
      const given: Tensors = {
        ...Object.fromEntries(
          noises.map(({ name, shape = [] }) => [
            name,
            float32([3, ...shape], uniforms(3 * shape.reduce((a, b) => a * b, 1))),
          ]),
        ),
        ...(operation === 'decode'
          ? { z: float32([3, 1], [-1, 0, 1]) }
          : { x: subject.images(uniforms(60).map(Math.round)) }),
        ...(operation === 'complete' && {
          mask: subject.images(Array.from({ length: 60 }, (_, i) => Number(i % 3 === 0))),
        }),
      };
      const whole = await run(3, given);
      const states = (ports: typeof spec.inputs) =>
        ports.filter(({ role }) => role === 'state').map(({ name }) => name);
      let part: Tensors = {};
      for (const [first, count] of [
        [0, 1],
        [1, 2],
        [3, 1],
      ] as const) {
        const before = part;
        const carried = states(spec.outputs).flatMap((name, i) => {
          const state = before[name];
          return state ? [[states(spec.inputs)[i]!, state] as const] : [];
        });
        const rows = { first_row: int32([], [first]), row_count: int32([], [count]) };
        part = await run(3, { ...given, ...Object.fromEntries(carried), ...rows });
      }
      for (const { name } of spec.outputs) expect(part[name]!.data, name).toEqual(whole[name]!.data);
    },
  );

  test('scores the same exported as in TensorFlow.js, at any batch', async () => {
    const subject = new BinarySubject(subjectCase, 4, 5);
    const given = { x: subject.images(uniforms(60).map(Math.round)), epsilon: normals('epsilon', [1], 3) };
    for (const [operation, output] of [
      ['log_prob', 'log_prob'],
      ['log_prob_map', 'map'],
    ] as const) {
      const expected = (await subject.eager(operation, 3, given))[output]!.data;
      const found = (await (await serve(subject, operation))(3, given))[output]!.data;
      found.forEach((value, i) => {
        expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-4 * Math.max(1, Math.abs(value)));
      });
    }
  });
});

describe('the configuration of a PixelVAE', () => {
  const build = (settings: object) => () =>
    new BinarySubject({ name: '', family: erase(pixelVae), settings: { ...tiny, ...settings }, classes: 0 }, 4, 4);

  test('asks for a map where the code cannot be a bias', () => {
    expect(build({ conditioning: 'bias', layers: 0 })).toThrow('bias needs autoregressive layers');
    expect(build({ conditioning: 'bias', gated: false })).toThrow('bias needs gated layers');
    expect(build({ conditioning: 'bias', decoder: [{ channels: 4 }] })).toThrow('bias needs no decoder');
  });

  test('has a small preset of at most 4 MB at half precision on MNIST', () => {
    const subject = new BinarySubject(
      { name: '', family: erase(pixelVae), settings: pixelVae.presets.small!, classes: 0 },
      28,
      28,
    );
    const parameters = [...subject.state.values()].reduce((sum, values) => sum + values.length, 0);
    expect(2 * parameters).toBeLessThan(4e6);
  });
});
