// The Open Inference Protocol v2, written as a table: each case runs over REST (JSON and binary tensors) and over gRPC
// (typed and raw contents), and must end the same way.
import type { inference } from '@genserve/proto/wire';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixtures } from '../support/paths.js';
import { type ServedModels, serve } from '../support/serve.js';
import { datatypes, isFloat } from './raw-tensors.js';
import {
  type Answer,
  type Call,
  connect,
  type Failure,
  isFailure,
  type Style,
  stylesOf,
  type TensorValue,
} from './styles.js';

let served: ServedModels;
let client: inference.GRPCInferenceServiceClient;
let styles: Style[];
beforeAll(async () => {
  served = await serve({ models: fixtures, limits: { maxCount: 100 } });
  client = connect(served);
  styles = stylesOf(served, client);
});
afterAll(async () => {
  client.close();
  await served[Symbol.asyncDispose]();
});

const checkerboard = Array.from({ length: 256 }, (_, i) => (i + Math.floor(i / 16)) % 2);
const image = (datatype = 'FP32', values: readonly number[] = checkerboard): TensorValue => ({
  name: 'x',
  datatype,
  shape: [1, 16, 16, 1],
  values,
});
const rows: TensorValue = { name: 'x', datatype: 'FP32', shape: [2, 4, 3, 1], values: Array(24).fill(1) };
const label = (datatype: string, values: readonly number[] = [0, 1]): TensorValue => ({
  name: 'label',
  datatype,
  shape: [2],
  values,
});
const latent: TensorValue = { ...image(), name: 'z' };

async function succeed(style: Style, call: Call): Promise<Answer> {
  const outcome = await style.infer(call);
  if (isFailure(outcome)) throw new Error(`${style.name}: ${outcome.code} ${outcome.message}`);
  return outcome;
}

/** The same answer from every style. */
async function agree(call: Call): Promise<Answer> {
  const answers = await Promise.all(styles.map(style => succeed(style, call)));
  for (const answer of answers.slice(1)) expect(answer).toEqual(answers[0]);
  return answers[0]!;
}

describe('inference, the same over all four', () => {
  it('draws noise from seed and first_index: row i of one request is row 0 of another', async () => {
    const whole = await agree({ model: 'tiny', parameters: { seed: 5, count: 3 } });
    expect(whole.outputs[0]).toMatchObject({ name: 'x', datatype: 'FP32', shape: [3, 16, 16, 1] });
    expect(whole.parameters).toEqual({ seed: 5, first_index: 0 });
    const third = await agree({ model: 'tiny.sample', parameters: { seed: 5, first_index: 2 } });
    expect(third.outputs[0]?.values).toEqual(whole.outputs[0]?.values.slice(512));
  });

  it('gives back the seed that it drew, with which the answer comes again', async () => {
    for (const style of styles) {
      const first = await succeed(style, { model: 'tiny' });
      const { seed } = first.parameters;
      expect(seed).toEqual(expect.any(Number));
      expect((await succeed(style, { model: 'tiny', parameters: { seed: Number(seed) } })).outputs).toEqual(
        first.outputs,
      );
    }
  });

  it('echoes the id, and names model and version as they were asked for', async () => {
    const answer = await agree({ model: 'tiny.decode', version: '1', id: 'request 7', inputs: [latent] });
    expect(answer).toMatchObject({ model: 'tiny.decode', version: '1', id: 'request 7', parameters: {} });
  });

  it('gives the outputs that are asked for, in that order, or all', async () => {
    const inputs = [{ ...rows, name: 'known_pixels' }, { ...rows, name: 'mask' }, label('INT32')];
    const namesOf = async (outputs?: string[]) =>
      (
        await agree({ model: 'tiny-rows.complete', inputs, parameters: { seed: 1 }, ...(outputs && { outputs }) })
      ).outputs.map(({ name }) => name);
    expect(await namesOf()).toEqual(['x', 'last_out']);
    expect(await namesOf(['last_out', 'x'])).toEqual(['last_out', 'x']);
    expect(await namesOf(['last_out'])).toEqual(['last_out']);
  });

  it('lets one row of an input serve all rows of another', async () => {
    const inputs = [rows, { ...label('INT32', [1]), shape: [1] }];
    const answer = await agree({ model: 'tiny-rows.log_prob', inputs });
    expect(answer.outputs[0]?.shape).toEqual([2]);
  });
});

describe('datatypes', () => {
  /** FP16 and BF16 have no typed contents in gRPC. */
  const takes = (style: Style, datatype: string) =>
    style.name !== 'gRPC, typed' || !/16$/.test(datatype) || !isFloat(datatype);

  it.each(datatypes)('%s is taken where a model computes in FP32, by value', async datatype => {
    const parameters = { seed: 3 };
    const expected = await agree({ model: 'tiny.log_prob', inputs: [image()], parameters });
    for (const style of styles) {
      const outcome = await style.infer({ model: 'tiny.log_prob', inputs: [image(datatype)], parameters });
      if (takes(style, datatype)) expect(outcome).toEqual(expected);
      else expect(outcome).toMatchObject({ code: 3, message: expect.stringContaining('raw_input_contents') });
    }
  });

  it.each(datatypes)('%s, where a model takes INT32: integers by value, floats refused', async datatype => {
    const call = (input: TensorValue): Call => ({ model: 'tiny-rows.log_prob', inputs: [rows, input] });
    const expected = await agree(call(label('INT32')));
    for (const style of styles) {
      const outcome = await style.infer(call(label(datatype)));
      if (!isFloat(datatype)) expect(outcome).toEqual(expected);
      else
        expectFailure(
          style,
          outcome,
          400,
          3,
          takes(style, datatype) ? /inputs\[1\]\.datatype.*INT32/ : /raw_input_contents/,
        );
    }
  });

  it.each([
    ['half a pixel in FP16', 'FP16', 0.5],
    ['half a pixel in BF16', 'BF16', 0.5],
    ['half a pixel in FP64', 'FP64', 0.5],
  ])('%s is what it is in FP32', async (_, datatype, value) => {
    const call = (type: string): Call => ({
      model: 'tiny.decode',
      inputs: [
        {
          ...image(
            type,
            checkerboard.map(() => value),
          ),
          name: 'z',
        },
      ],
    });
    const [expected, ...others] = [
      await agree(call('FP32')),
      ...(await Promise.all(styles.filter(style => takes(style, datatype)).map(style => style.infer(call(datatype))))),
    ];
    for (const other of others) expect(other).toEqual(expected);
  });
});

const seeded = { parameters: { seed: 1 } };
interface ErrorCase {
  readonly what: string;
  readonly call: Call;
  readonly http: number;
  readonly grpc: number;
  readonly message: RegExp;
}

/** gRPC: 3 INVALID_ARGUMENT, 5 NOT_FOUND. */
const errors: ErrorCase[] = [
  { what: 'an unknown model', call: { model: 'nothing' }, http: 404, grpc: 5, message: /there is no nothing/ },
  {
    what: 'an unknown operation',
    call: { model: 'tiny.dream' },
    http: 404,
    grpc: 5,
    message: /tiny\.dream.*tiny\.sample/,
  },
  { what: 'an unknown version', call: { model: 'tiny', version: '7' }, http: 404, grpc: 5, message: /version 7/ },
  { what: 'a version that is none', call: { model: 'tiny', version: 'x' }, http: 404, grpc: 5, message: /version x/ },
  {
    what: 'an input that is missing',
    call: { model: 'tiny.log_prob' },
    http: 400,
    grpc: 3,
    message: /x: must be given/,
  },
  bad('an unknown input', { inputs: [{ ...image(), name: 'y' }] }, /inputs\[0\]\.name.*"y"; inputs are x/),
  bad('an input that is there twice', { inputs: [image(), image()] }, /inputs\[1\]\.name.*twice/),
  bad(
    'an unknown output',
    { inputs: [image()], outputs: ['log_prob', 'q'] },
    /outputs\[1\]\.name.*"q"; outputs are log_prob/,
  ),
  bad('an unknown datatype', { inputs: [image('FP8')] }, /inputs\[0\]\.datatype.*FP32.*"FP8"/),
  bad('strings', { inputs: [image('BYTES')] }, /inputs\[0\]\.datatype.*BYTES is not taken/),
  bad('another rank', { inputs: [{ ...image(), shape: [1, 256] }] }, /inputs\[0\].*shape \[1,16,16,1\], was \[1,256\]/),
  bad('another size', { inputs: [{ ...image(), shape: [1, 8, 32, 1] }] }, /inputs\[0\].*shape/),
  bad('no row', { inputs: [{ ...image(), shape: [0, 16, 16, 1], values: [] }] }, /1 to 100 rows, had 0/),
  bad('too few numbers', { inputs: [{ ...image(), values: [1] }] }, /256/),
  bad('too many numbers', { inputs: [{ ...image(), values: [...checkerboard, 1] }] }, /256/),
  bad('a shape beyond all memory', { inputs: [{ ...image(), shape: [1e9, 1e9] }] }, /inputs\[0\]\.shape/),
  bad(
    'values out of the range of pixels',
    {
      inputs: [
        image(
          'FP32',
          checkerboard.map(() => 2),
        ),
      ],
    },
    /inputs\[0\].*from 0 to 1.*was 2/,
  ),
  bad(
    'integers beyond the exact ones of FP32',
    {
      inputs: [
        image(
          'INT32',
          checkerboard.map(() => 2 ** 24 + 1),
        ),
      ],
    },
    /16777217.*FP32/,
  ),
  bad(
    'doubles beyond FP32',
    {
      inputs: [
        image(
          'FP64',
          checkerboard.map(() => 1e300),
        ),
      ],
    },
    /1e\+300.*FP32/,
  ),
  rowsBad('labels beyond 32 bits', [rows, label('INT64', [0, 2 ** 40])], /32-bit integers.*1099511627776/),
  rowsBad('a label that is none', [rows, label('INT32', [0, 99])], /inputs\[1\].*was 99/),
  rowsBad('rows that differ', [rows, { ...label('INT32'), shape: [3], values: [0, 1, 1] }], /inputs\[1\].*shape/),
  bad('more rows than the server takes', { model: 'tiny', parameters: { count: 101 } }, /1 to 100 rows, had 101/),
  bad('a count of 0', { model: 'tiny', parameters: { count: 0 } }, /rows, had 0/),
  bad('a negative seed', { model: 'tiny', parameters: { seed: -1 } }, /parameters\.seed/),
  bad('a seed in words', { model: 'tiny', parameters: { seed: 'seven' } }, /parameters\.seed/),
  bad('a first_index beyond 2^32', { model: 'tiny', parameters: { first_index: 2 ** 32 } }, /parameters\.first_index/),
];

function bad(what: string, call: Partial<Call>, message: RegExp): ErrorCase {
  return { what, call: { model: 'tiny.log_prob', ...seeded, ...call }, http: 400, grpc: 3, message };
}

function rowsBad(what: string, inputs: readonly TensorValue[], message: RegExp): ErrorCase {
  return { what, call: { model: 'tiny-rows.log_prob', inputs }, http: 400, grpc: 3, message };
}

function expectFailure(style: Style, outcome: Answer | Failure, http: number, grpc: number, message: RegExp): void {
  expect(outcome, style.name).toEqual({
    code: style.transport === 'rest' ? http : grpc,
    message: expect.stringMatching(message),
  });
}

describe('errors say what was wrong and what would be right, with the same words everywhere', () => {
  it.each(errors)('$what', async ({ call, http, grpc, message }) => {
    for (const style of styles) expectFailure(style, await style.infer(call), http, grpc, message);
  });
});
