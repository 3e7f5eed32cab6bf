import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { nearest } from './nearest.js';
import { parseSettings } from './parse-settings.js';

const schema = z.strictObject({
  batch: z.int().min(1),
  optimiser: z.strictObject({ learningRate: z.number() }).optional(),
  layers: z.array(z.strictObject({ channels: z.int() })).optional(),
  data: z.union([z.string(), z.strictObject({ source: z.string(), size: z.int().optional() })]).optional(),
});
const parse = (value: unknown) => () => parseSettings(schema, value, 'training');

describe('parseSettings', () => {
  it('returns what fits', () => {
    expect(parse({ batch: 4 })()).toEqual({ batch: 4 });
  });
  it('names the field and what would be right', () => {
    expect(parse({ batch: 0 })).toThrow(/^training\.batch: .*>=1/);
    expect(parse({ batch: 1, optimiser: { learningRate: 'fast' } })).toThrow(/^training\.optimiser\.learningRate: /);
  });
  it('suggests the nearest key at the level of the unknown one', () => {
    expect(parse({ bach: 1, batch: 1 })).toThrow('training.bach: there is no such setting; did you mean "batch"?');
    expect(parse({ batch: 1, optimiser: { learningrate: 1, learningRate: 1 } })).toThrow(
      'did you mean "learningRate"?',
    );
    expect(parse({ batch: 1, layers: [{ channels: 1, chanels: 2 }] })).toThrow('training.layers.0.chanels');
    expect(parse({ batch: 1, data: { source: 'mnist', sise: 3 } })).toThrow('did you mean "size"?');
  });
  it('lists the keys where none is near', () => {
    expect(parse({ batch: 1, zzz: 1 })).toThrow('known are: batch, optimiser, layers, data');
  });
});

describe('nearest', () => {
  it('counts a swap of neighbours as one edit and refuses what is far', () => {
    expect(nearest('mnits', ['fashion-mnist', 'mnist'])).toBe('mnist');
    expect(nearest('xyz', ['mnist'])).toBeUndefined();
  });
});
