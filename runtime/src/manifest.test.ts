import { describe, expect, it } from 'vitest';
import { fixtureFiles } from '../fixtures/session.mjs';
import { classCount, type Domain, domainShape, domainSize, findOperation, inputsOf, labelNames } from './manifest.js';
import { parseManifest } from './parse-manifest.js';
import { fromUtf8 } from './text.js';

const fixture = (name: 'tiny' | 'tiny-rows') =>
  parseManifest(JSON.parse(fromUtf8(fixtureFiles(name)['manifest.json']!)));

describe('what others ask of a manifest', () => {
  const tiny = fixture('tiny');
  const rows = fixture('tiny-rows');

  it.each<[Domain, number[]]>([
    [tiny.domain!, [16, 16, 1]],
    [{ audio: { samples: 8000, sampleRate: 8000, levels: 256, coding: 'mu-law', labels: [] } }, [8000]],
    [{ text: { length: 32, vocabulary: ['a'], labels: [] } }, [32]],
    [{ vector: { names: ['x', 'y'], mean: [], deviation: [], labels: [] } }, [2]],
    [{ video: { frames: 3, height: 4, width: 5, channels: 1, levels: 2 } }, [3, 4, 5, 1]],
  ])('shape and size of a datum: %j', (domain, shape) => {
    expect(domainShape(domain)).toEqual(shape);
    expect(domainSize(domain)).toBe(shape.reduce((a, b) => a * b));
  });

  it('finds operations, members of ensembles included, and says which there are', () => {
    expect(findOperation(tiny, 'decode').name).toBe('decode');
    expect(findOperation(tiny, 'sample#3').name).toBe('sample');
    const find = () => findOperation(tiny, 'classify');
    expect(find).toThrow(expect.objectContaining({ reason: 'OPERATION_UNSUPPORTED' }));
    expect(find).toThrow(/tiny has no operation classify; it has sample, decode/);
  });

  it('tells ports by role, classes and their names', () => {
    expect(inputsOf(findOperation(rows, 'complete'), 'mask').map(port => port.name)).toEqual(['mask']);
    expect([classCount(tiny), classCount(rows)]).toEqual([0, 2]);
    expect(labelNames(rows)).toEqual(['dark', 'light']);
    expect(labelNames({ ...rows, conditions: [{ ...rows.conditions[0]!, size: 3, names: [] }] })).toEqual([
      'dark',
      'light',
      '2',
    ]);
    expect(labelNames(tiny)).toEqual([]);
  });
});
