import { describe, expect, it } from 'vitest';
import { fixtureFiles } from '../fixtures/session.mjs';
import { GenserveError } from './errors.js';
import { parseManifest } from './parse-manifest.js';
import { fromUtf8 } from './text.js';

/** A fresh copy of a fixture's manifest as JSON. */
const json = (name: 'tiny' | 'tiny-rows' = 'tiny') => JSON.parse(fromUtf8(fixtureFiles(name)['manifest.json']!));

/** A copy with the value at `path` ("operations.0.file") replaced; undefined removes it. */
function changed(path: string, value: unknown, name: 'tiny' | 'tiny-rows' = 'tiny') {
  const manifest = json(name);
  const keys = path.split('.');
  const last = keys.pop()!;
  const parent = keys.reduce((node, key) => node[key], manifest);
  if (value === undefined) delete parent[last];
  else parent[last] = value;
  return manifest;
}

function errorOf(parse: () => unknown): GenserveError {
  try {
    parse();
  } catch (error) {
    if (error instanceof GenserveError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('parseManifest', () => {
  it('reads the fixtures, filling what proto3 JSON leaves out', () => {
    const manifest = parseManifest(json());
    expect(manifest).toMatchObject({ format: 1, name: 'tiny', version: 1, conditions: [], variants: [] });
    expect(manifest.family).toEqual({ name: 'fixture', paper: 'none', url: '' });
    expect(manifest.operations[0]!.inputs[0]).toEqual({
      name: 'z',
      dtype: 'float32',
      shape: [0, 16, 16, 1],
      role: 'noise',
      level: 1,
      default: undefined,
    });
    expect(manifest.scores[1]!.calibration).toBeUndefined();
    expect(parseManifest(json('tiny-rows')).conditions[0]!.frequencies).toEqual([0.25, 0.75]);
  });

  it('reads 64-bit integers as numbers or, as other proto3 JSON writers put them, as digits', () => {
    expect(parseManifest(changed('files.0.bytes', '12345')).files[0]!.bytes).toBe(12345);
  });

  it('ignores fields that it does not know', () => {
    expect(parseManifest(changed('mood', 'bright')).name).toBe('tiny');
  });

  it('refuses a newer format before anything else', () => {
    const error = errorOf(() => parseManifest({ format: 2, shapes: 'unheard of' }));
    expect(error).toMatchObject({ reason: 'BUNDLE_INVALID', field: 'format' });
    expect(error.message).toMatch(/newer than 1/);
  });

  it.each<[path: string, value: unknown, field: string, message: RegExp]>([
    ['format', undefined, 'format', /integer from 1 to 1, was nothing/],
    ['name', 'Tiny', 'name', /a-z, 0-9 and -/],
    ['name', 'x'.repeat(64), 'name', /1 to 63/],
    ['name', undefined, 'name', /1 to 63/],
    ['version', 0, 'version', /from 1/],
    ['version', 1.5, 'version', /integer/],
    ['version', '1x', 'version', /integer/],
    ['family', undefined, 'family', /must be an object, was nothing/],
    ['family.name', '', 'family.name', /must be given/],
    ['domain', {}, 'domain', /exactly one of image, audio, text, vector, video/],
    ['domain.text', { length: 3, vocabulary: ['a'] }, 'domain', /exactly one/],
    ['domain', { vector: {} }, 'domain', /at least one dimension/],
    ['domain.image.height', 0, 'domain.image.height', /from 1/],
    ['domain.image.channels', 2, 'domain.image.channels', /1 \(grey\) or 3/],
    ['domain.image.binarisation', 'stochastic', 'domain.image.binarisation', /one of none\|dynamic\|threshold\|static/],
    ['domain.image.polarity', 'white', 'domain.image.polarity', /light-on-dark/],
    ['noises.0.distribution', 'gaussian', 'noises[0].distribution', /one of normal, uniform; was "gaussian"/],
    ['noises.0.shape', [16, 0, 1], 'noises[0].shape[1]', /from 1/],
    ['noises.1.name', 'z', 'noises[1]', /z is there twice/],
    ['operations', 'sample', 'operations', /must be a list/],
    ['operations.0.name', 'dream', 'operations[0].name', /one of sample decode/],
    ['operations.1.name', 'sample', 'operations[1]', /sample is there twice/],
    ['operations.0.file', 'other.onnx', 'operations[0].file', /other.onnx is not among files/],
    ['operations.0.file', '', 'operations[0].file', /relative path/],
    ['operations.0.file', '../sample.onnx', 'operations[0].file', /relative path inside the bundle/],
    ['operations.0.file', 'a/../../sample.onnx', 'operations[0].file', /relative path/],
    ['operations.0.file', '/etc/passwd', 'operations[0].file', /relative path/],
    ['operations.0.file', 'C:\\model.onnx', 'operations[0].file', /relative path/],
    ['operations.0.file', 'a//b.onnx', 'operations[0].file', /relative path/],
    ['operations.0.file', './b.onnx', 'operations[0].file', /relative path/],
    ['operations.0.file', 'folder/', 'operations[0].file', /relative path/],
    ['operations.0.file', 'a\0b', 'operations[0].file', /relative path/],
    ['operations.0.file', 'a\nb', 'operations[0].file', /relative path/],
    ['operations.0.outputs', [], 'operations[0].outputs', /at least one output/],
    ['operations.0.inputs.0.role', 'input', 'operations[0].inputs[0].role', /must be one of data, latent/],
    ['operations.0.inputs.0.dtype', 'float16', 'operations[0].inputs[0].dtype', /one of float32, int32/],
    ['operations.0.inputs.0.dtype', 'int32', 'operations[0].inputs[0].dtype', /must be float32 for a noise/],
    ['operations.0.inputs.0.name', 'w', 'operations[0].inputs[0].name', /w is not among noises/],
    ['operations.0.inputs.0.name', '__proto__', 'operations[0].inputs[0].name', /a letter followed by/],
    ['operations.0.inputs.0.shape', [0, 16, 16], 'operations[0].inputs[0].shape', /must be \[0,16,16,1\] as its noise/],
    ['operations.0.inputs.0.shape', [16, 16, 1], 'operations[0].inputs[0].shape', /must begin with 0/],
    ['operations.0.inputs.0.shape', [0, 0, 16, 1], 'operations[0].inputs[0].shape', /only dimension 0 may be 0/],
    ['operations.0.inputs.0.shape', [0, -1], 'operations[0].inputs[0].shape[1]', /from 0/],
    ['operations.0.inputs.0.level', 0, 'operations[0].inputs[0].level', /from 1/],
    ['operations.0.inputs.1.shape', [0, 1], 'operations[0].inputs[1].shape', /must be \[0\] for a temperature/],
    ['operations.0.inputs.1.default', 'warm', 'operations[0].inputs[1].default', /must be a number/],
    ['operations.0.outputs.0.shape', [0, 28, 28, 1], 'operations[0].outputs[0].shape', /as the domain states/],
    ['operations.0.cost.macs', -1, 'operations[0].cost.macs', /from 0/],
    ['operations.0.members', [{ labels: [0], file: 'sample.onnx' }], 'operations[0].members', /input of role label/],
    ['likelihood.kind', 'good', 'likelihood.kind', /one of exact, bound, codes, none/],
    ['likelihood.dimensions', 0, 'likelihood.dimensions', /1 or more/],
    ['likelihood', undefined, 'likelihood', /must be an object/],
    ['scores.0.formula', 'typicality++', 'scores[0].formula', /one of negative-log-likelihood/],
    ['scores.0.operations', ['classify'], 'scores[0].operations[0]', /no operation classify/],
    ['scores.0.draws', 0, 'scores[0].draws', /from 1/],
    ['scores.0.seed', -1, 'scores[0].seed', /from 0/],
    ['scores.0.tables', ['bank.npy'], 'scores[0].tables[0]', /not among files/],
    ['scores.0.calibration.table', 'tables/x.npy', 'scores[0].calibration.table', /not among files/],
    ['scores.1.recommended', true, 'scores', /at most one/],
    ['scores.1.recommended', 'yes', 'scores[1].recommended', /true or false/],
    ['scores.0.usesLabel', 'yes', 'scores[0].usesLabel', /true or false/],
    ['scores.0.usesLabel', true, 'scores[0].operations', /input of role label/],
    ['scores.1.name', 'nll', 'scores[1]', /nll is there twice/],
    ['scores.0.parameters', { k: 'five' }, 'scores[0].parameters.k', /must be a number/],
    ['files.0.sha256', 'ABC', 'files[0].sha256', /64 lower-case hexadecimal/],
    ['files.0.bytes', 2 ** 53, 'files[0].bytes', /integer/],
    ['files.0.path', '../../x', 'files[0].path', /relative path/],
    ['variants', [{ name: 'float16', folder: 'float16' }], 'variants', /float16\/sample.onnx is not among files/],
    ['variants', [{ name: 'int4', folder: 'int4' }], 'variants[0].name', /one of float16/],
    ['golden.0.output', 'y', 'golden[0].output', /sample has no output y/],
    ['golden.0.operation', 'classify', 'golden[0].operation', /no operation classify/],
    ['provenance.datasetSha256', 'x', 'provenance.datasetSha256', /SHA-256/],
  ])('refuses %s = %j', (path, value, field, message) => {
    const error = errorOf(() => parseManifest(changed(path, value)));
    expect(error).toMatchObject({ reason: 'BUNDLE_INVALID', field });
    expect(error.message).toMatch(message);
    expect(error.message.startsWith(`${field}: `)).toBe(true);
  });

  it.each<[path: string, value: unknown, field: string, message: RegExp]>([
    ['conditions.0.frequencies', [1], 'conditions[0].frequencies', /one share, 0 or more, for each of the 2 labels/],
    ['conditions.0.frequencies', [0, 0], 'conditions[0].frequencies', /one share/],
    ['conditions.0.frequencies', [-1, 2], 'conditions[0].frequencies', /one share/],
    ['conditions.0.kind', 'mood', 'conditions[0].kind', /label, vector, attributes, text/],
    ['conditions', [], 'operations[0].inputs[1]', /conditions state no label/],
    ['operations.0.inputs.1.dtype', 'float32', 'operations[0].inputs[1].dtype', /must be int32 for a label/],
    ['operations.0.members', [{ labels: [0], file: 'm.onnx' }], 'operations[0].members[0].file', /not among files/],
    ['operations.0.inputs.5.shape', [0], 'operations[0].inputs[5].shape', /must be \[\] for a count/],
    ['operations.0.inputs.6.default', undefined, 'operations[0].inputs[6].default', /must be given for a count/],
    ['operations.0.outputs.1.shape', [0, 2], 'operations[0].outputs', /one state for each state input/],
  ])('of a labelled autoregressive model refuses %s = %j', (path, value, field, message) => {
    const error = errorOf(() => parseManifest(changed(path, value, 'tiny-rows')));
    expect(error).toMatchObject({ reason: 'BUNDLE_INVALID', field });
    expect(error.message).toMatch(message);
  });

  it.each([null, undefined, 7, 'manifest', []])('refuses %j, which is no object', value => {
    expect(errorOf(() => parseManifest(value))).toMatchObject({ reason: 'BUNDLE_INVALID', field: 'manifest' });
  });
});
