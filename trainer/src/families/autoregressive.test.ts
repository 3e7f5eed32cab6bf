// What must hold for every exact autoregressive model of binary images: probabilities sum to one, no pixel sees itself or
// the future, drawing pixel by pixel is the same model, and the exported graphs are the same model too.
import { float32, int32, type Tensors } from '@genserve/runtime';
import { afterAll, describe, expect, test } from 'vitest';
import { permutation } from '../data/order.js';
import {
  allImages,
  BinarySubject,
  codes,
  erase,
  expectFrequencies,
  type SubjectCase,
  uniforms,
} from '../testing/binary-subject.js';
import { gatedPixelCnn } from './gated-pixelcnn.js';
import { made } from './made.js';
import { pixelCnn } from './pixelcnn.js';

interface Case extends SubjectCase {
  /** The n pixels of an image in the order of the factorisation; raster order when absent. */
  readonly order?: (n: number) => readonly number[];
  /** What the images of a vector-conditional model are given. */
  readonly vector?: readonly number[];
  /** Whether a pixel sees one that is `rows` above and `columns` to the right; all of the past when absent. */
  readonly sees?: (rows: number, columns: number) => boolean;
}

/** Particles of a completion. */
const PARTICLES = 16;
const tiny = { channels: 8, layers: 4, size: 3, firstSize: 3, head: 8, particles: PARTICLES };
const cases: Case[] = [
  {
    name: 'pixelcnn',
    family: erase(pixelCnn),
    settings: { channels: 8, blocks: 5, size: 3, firstSize: 5, head: 8, particles: PARTICLES },
    classes: 0,
    // The blind spot: a block goes no further to the right than it goes up, the first layer one pixel further.
    sees: (rows, columns) => columns <= rows + 1,
  },
  { name: 'made', family: erase(made), settings: { hidden: [120], blocks: 3, particles: PARTICLES }, classes: 0 },
  {
    name: 'made of two hidden layers in a random order',
    family: erase(made),
    settings: { hidden: [90, 120], blocks: 4, order: 'random', particles: PARTICLES },
    classes: 0,
    order: n => [...permutation(n, 0, 'made/order')],
  },
  { name: 'gated-pixelcnn', family: erase(gatedPixelCnn), settings: tiny, classes: 0 },
  {
    name: 'gated-pixelcnn with labels',
    family: erase(gatedPixelCnn),
    settings: { ...tiny, layers: 2, size: 5, firstSize: 7, condition: 'label' },
    classes: 3,
  },
  {
    name: 'gated-pixelcnn with vectors',
    family: erase(gatedPixelCnn),
    settings: { ...tiny, condition: 'vector', vectorSize: 2 },
    classes: 0,
    vector: [0.5, -1],
  },
];

const sessions: { close(): Promise<void> }[] = [];
afterAll(async () => {
  for (const session of sessions) await session.close();
});

/** The operation as it is served, on onnxruntime. */
async function served(subject: BinarySubject, operation: string) {
  const session = await subject.serve(operation);
  sessions.push(session);
  return session.run;
}

describe.each(cases)('$name', subjectCase => {
  const { classes, sees = () => true, order = (n: number) => Array.from({ length: n }, (_, i) => i) } = subjectCase;
  const { vector } = subjectCase;
  const label = (batch: number, k: number): Tensors => ({
    ...(classes > 0 && { label: int32([batch], new Array(batch).fill(k)) }),
    ...(vector && { vector: float32([batch, vector.length], new Array(batch).fill(vector).flat()) }),
  });
  const labels = classes > 0 ? [-1, 0, classes - 1] : [-1];

  test.each(labels)('gives the 16 images of 2x2 pixels probabilities that sum to one (label %i)', async k => {
    const subject = new BinarySubject(subjectCase, 2, 2);
    const { log_prob } = await subject.eager('log_prob', 16, { x: subject.images(allImages(4)), ...label(16, k) });
    const probabilities = Array.from(log_prob!.data, Math.exp);
    expect(probabilities.reduce((sum, p) => sum + p)).toBeCloseTo(1, 6);
    expect(Math.max(...probabilities) / Math.min(...probabilities)).toBeGreaterThan(2);
  });

  test.runIf(classes > 0 || vector)('depends on its condition', async () => {
    const subject = new BinarySubject(subjectCase, 2, 2);
    const x = subject.images(allImages(4));
    const first = await subject.eager('log_prob', 16, { x, ...label(16, 0) });
    const other: Tensors = vector ? { vector: float32([16, 2], new Array(32).fill(1)) } : label(16, 1);
    const second = await subject.eager('log_prob', 16, { x, ...other });
    expect(first.log_prob!.data).not.toEqual(second.log_prob!.data);
  });

  test('no pixel sees itself or the future, and each sees all of the past that it should', async () => {
    const [height, width] = [4, 5];
    const n = height * width;
    const subject = new BinarySubject(subjectCase, height, width);
    // log p(x_i | x_<i) of some images, and of the same with one pixel changed: a rectifier may be off in one of them
    const images = Array.from({ length: 8 }, (_, k) =>
      uniforms(n * (k + 1))
        .slice(n * k)
        .map(Math.round),
    );
    const maps = await Promise.all(
      images.map(async image => {
        const changed = Array.from({ length: n }, (_, q) => image.map((value, i) => (i === q ? 1 - value : value)));
        const x = subject.images([image, ...changed].flat());
        const { map } = await subject.eager('log_prob_map', n + 1, { x, ...label(n + 1, 1) });
        return { before: (i: number) => map!.data[i]!, after: (q: number, i: number) => map!.data[(q + 1) * n + i]! };
      }),
    );
    for (const [place, q] of order(n).entries()) {
      for (const [other, i] of order(n).entries()) {
        const seen = maps.filter(({ before, after }) => after(q, i) !== before(i)).length;
        if (other < place) expect(seen, `pixel ${i} sees pixel ${q}`).toBe(0);
        const rows = Math.floor(i / width) - Math.floor(q / width);
        if (other > place && !sees(rows, (q % width) - (i % width))) expect(seen, `blind pixel ${i}, ${q}`).toBe(0);
        else if (other > place) expect(seen, `pixel ${i} does not see pixel ${q}`).toBeGreaterThan(0);
      }
      // log p(x_q) and log p(1 - x_q) under the same logit
      for (const { before, after } of maps) {
        expect(Math.exp(before(q)) + Math.exp(after(q, q)), `pixel ${q} sees itself`).toBeCloseTo(1, 5);
      }
    }
  });

  test('learns that two images are equally likely, and that there is no other', async () => {
    const subject = new BinarySubject(subjectCase, 4, 5);
    const rows = 8;
    const pair = uniforms(40).map(Math.round);
    const data = subject.images(Array.from({ length: rows / 2 }, () => pair).flat());
    const loss = await subject.train(400, rows, { data, ...label(rows, 1) });
    // log 2 nats are left; at first 20 log 2.
    expect(loss).toBeGreaterThan(0.99 * Math.LN2);
    expect(loss).toBeLessThan(1.5 * Math.LN2);
  });

  test('the map adds up to the log-likelihood, and the exported graphs agree with TensorFlow.js', async () => {
    const subject = new BinarySubject(subjectCase, 4, 5);
    const given = { x: subject.images(uniforms(60).map(Math.round)), ...label(3, 1) };
    const { log_prob } = await subject.eager('log_prob', 3, given);
    const { map } = await (await served(subject, 'log_prob_map'))(3, given);
    const exported = await (await served(subject, 'log_prob'))(3, given);
    for (const row of [0, 1, 2]) {
      const sum = Array.from(map!.data.subarray(20 * row, 20 * (row + 1))).reduce((total, value) => total + value, 0);
      expect(sum / log_prob!.data[row]!).toBeCloseTo(1, 5);
      expect(exported.log_prob!.data[row]! / log_prob!.data[row]!).toBeCloseTo(1, 5);
    }
  });

  test('samples follow the probabilities of the model', async () => {
    const subject = new BinarySubject(subjectCase, 2, 2);
    const count = 8192;
    const { log_prob } = await subject.eager('log_prob', 16, { x: subject.images(allImages(4)), ...label(16, 1) });
    const sample = await served(subject, 'sample');
    const { x } = await sample(count, { pixels: subject.images(uniforms(4 * count)), ...label(count, 1) });
    expectFrequencies(codes(x!.data, 4), Array.from(log_prob!.data, Math.exp));
  });

  test('a pixel is drawn with the very probability that the likelihood gives it', async () => {
    const subject = new BinarySubject(subjectCase, 4, 5);
    // Draws an image, then asks with u just below and just above each p(x_i = 1 | x_<i).
    const drawn = await (await served(subject, 'sample'))(1, { pixels: subject.images(uniforms(20)), ...label(1, 1) });
    const { map } = await subject.eager('log_prob_map', 1, { x: drawn.x!, ...label(1, 1) });
    const one = Array.from(map!.data, (logProb, i) =>
      drawn.x!.data[i] === 1 ? Math.exp(logProb) : 1 - Math.exp(logProb),
    );
    const mask = subject.images(new Array(400).fill(1).map((_, i) => (i % 21 === 0 ? 0 : 1)));
    const complete = await served(subject, 'complete');
    const x = subject.images(Array.from({ length: 20 }, () => Array.from(drawn.x!.data)).flat());
    for (const [margin, value] of [
      [-1e-4, 1],
      [1e-4, 0],
    ] as const) {
      // The same for every particle.
      const { y } = await complete(20, {
        x,
        mask,
        particle_pixels: float32(
          [20, PARTICLES, 4, 5, 1],
          Array.from({ length: 400 * PARTICLES }, (_, i) => one[i % 20]! + margin),
        ),
        ...label(20, 1),
      });
      for (let i = 0; i < 20; i++) expect(y!.data[21 * i], `pixel ${i} at u = p + ${margin}`).toBe(value);
    }
  });

  /** Places in the order of the factorisation whose pixels are known, with their values; and how far from it may be. */
  const known: [string, [place: number, value: number][], number][] = [
    [
      'what comes before',
      [
        [0, 1],
        [1, 0],
      ],
      0,
    ],
    ['what comes after', [[3, 1]], 0.02],
    [
      'what comes before and after',
      [
        [0, 1],
        [2, 0],
        [3, 0],
      ],
      0.02,
    ],
  ];
  test.each(known)('a completion keeps %s, and follows the conditional given it', async (_, places, slack) => {
    const subject = new BinarySubject(subjectCase, 2, 2);
    const count = 1024;
    const { log_prob } = await subject.eager('log_prob', 16, { x: subject.images(allImages(4)), ...label(16, 1) });
    const pixels = places.map(([place, value]) => [order(4)[place]!, value] as const);
    const matches = Array.from(log_prob!.data, (logProb, code) =>
      pixels.every(([pixel, value]) => ((code >> pixel) & 1) === value) ? Math.exp(logProb) : 0,
    );
    const total = matches.reduce((sum, p) => sum + p);
    const repeat = (value: (pixel: number) => number) =>
      subject.images(Array.from({ length: count }, () => [0, 1, 2, 3].map(value)).flat());
    const complete = await served(subject, 'complete');
    const survival = subject.feeds('complete', count, {}).survival!;
    const { y } = await complete(count, {
      x: repeat(pixel => pixels.find(([each]) => each === pixel)?.[1] ?? 0),
      mask: repeat(pixel => Number(pixels.some(([each]) => each === pixel))),
      particle_pixels: float32([count, PARTICLES, 2, 2, 1], uniforms(4 * count * PARTICLES)),
      survival: float32(survival.shape, uniforms(survival.data.length)),
      ...label(count, 1),
    });
    expectFrequencies(
      codes(y!.data, 4),
      matches.map(p => p / total),
      slack,
    );
  });

  test('a temperature near zero draws the likelier value, a high one draws evenly', async () => {
    const subject = new BinarySubject(subjectCase, 2, 2);
    const sample = await served(subject, 'sample');
    const at = async (temperature: number, pixels: number[]) =>
      (await sample(1, { pixels: subject.images(pixels), temperature: float32([1], [temperature]), ...label(1, 1) })).x!
        .data;
    expect(await at(1e-4, [0.02, 0.02, 0.02, 0.02])).toEqual(await at(1e-4, [0.98, 0.98, 0.98, 0.98]));
    expect(Array.from(await at(1e4, [0.49, 0.51, 0.49, 0.51]))).toEqual([1, 0, 1, 0]);
  });

  test.each(['sample', 'complete'])('%s in slices of rows has the bits of one run', async operation => {
    const subject = new BinarySubject(subjectCase, 4, 5);
    const spec = subject.model.operations.find(({ name }) => name === operation)!;
    if (!spec.inputs.some(({ name }) => name === 'row_count')) return;
    const run = await served(subject, operation);
    const noise = (name: string) => {
      const { shape, data } = subject.feeds(operation, 3, {})[name]!;
      return { [name]: float32(shape, uniforms(data.length)) };
    };
    const given =
      operation === 'sample'
        ? { ...noise('pixels'), ...label(3, 1) }
        : {
            x: subject.images(uniforms(60).map(Math.round)),
            mask: subject.images(Array.from({ length: 60 }, (_, i) => Number(i % 3 === 0))),
            ...noise('particle_pixels'),
            ...noise('survival'),
            ...label(3, 1),
          };
    const whole = await run(3, given);
    const states = (ports: typeof spec.inputs) => ports.filter(({ role }) => role === 'state').map(({ name }) => name);
    let part: Tensors = {};
    for (const [first, count] of [
      [0, 1],
      [1, 2],
      [3, 1],
    ] as const) {
      const carried = Object.fromEntries(
        states(spec.inputs).flatMap((name, i) => {
          const state = part[states(spec.outputs)[i]!];
          return state ? [[name, state]] : [];
        }),
      );
      part = await run(3, { ...given, ...carried, first_row: int32([], [first]), row_count: int32([], [count]) });
    }
    for (const { name } of spec.outputs) expect(part[name]!.data, name).toEqual(whole[name]!.data);
  });

  test('a sample does not change with what it is drawn beside', async () => {
    const subject = new BinarySubject(subjectCase, 4, 5);
    const sample = await served(subject, 'sample');
    const pixels = uniforms(20 * 64);
    const together = await sample(64, { pixels: subject.images(pixels), ...label(64, 1) });
    for (const row of [0, 37, 63]) {
      const part = [20 * row, 20 * (row + 1)] as const;
      const alone = await sample(1, { pixels: subject.images(pixels.slice(...part)), ...label(1, 1) });
      expect(alone.x!.data).toEqual(together.x!.data.slice(...part));
    }
  });
});
