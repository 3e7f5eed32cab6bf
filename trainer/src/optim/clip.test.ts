import { describe, expect, it } from 'vitest';
import { compiledEngine } from '../engine/compiled.js';
import type { Program } from '../engine/program.js';
import { type ClipSettings, clip, globalNorm } from './clip.js';

/** Two gradients, of two elements and one: their norms are 5 and 12, together 13. */
const gradients = [[3, -4], [12]];

async function clipped(settings: Partial<ClipSettings>) {
  const program: Program = {
    name: 'clip',
    inputs: gradients.map(({ length }, i) => ({ name: `g${i}`, dtype: 'float32', shape: [length] })),
    state: [],
    run(fed) {
      const list = gradients.map((_, i) => fed[`g${i}`]!);
      const norm = globalNorm(list);
      const bounded = clip(list, norm, { clipNorm: 0, clipTensorNorm: 0, clipValue: 0, ...settings });
      return { norm, ...Object.fromEntries(bounded.map((gradient, i) => [`c${i}`, gradient.clone()])) };
    },
  };
  const feeds = gradients.map(
    (g, i) => [`g${i}`, { dtype: 'float32', shape: [g.length], data: Float32Array.from(g) }] as const,
  );
  const executable = await compiledEngine({ threads: 1 }).compile(program, 1);
  const { norm, c0, c1 } = await executable.run(Object.fromEntries(feeds), new Map());
  await executable.close();
  return { norm: norm!.data[0], values: [...c0!.data, ...c1!.data].map(value => Number(value.toFixed(5))) };
}

describe('clipping', () => {
  it('by global norm scales all gradients by one factor', async () => {
    expect(await clipped({ clipNorm: 6.5 })).toEqual({ norm: 13, values: [1.5, -2, 6] });
  });

  it('by tensor scales each gradient by its own', async () => {
    expect((await clipped({ clipTensorNorm: 10 })).values).toEqual([3, -4, 10]);
    expect((await clipped({ clipTensorNorm: 2.5 })).values).toEqual([1.5, -2, 2.5]);
  });

  it('by value cuts each element', async () => {
    expect((await clipped({ clipValue: 3.5 })).values).toEqual([3, -3.5, 3.5]);
  });

  it('leaves small gradients alone', async () => {
    for (const settings of [{}, { clipNorm: 20 }, { clipTensorNorm: 20 }, { clipValue: 20 }])
      expect((await clipped(settings)).values).toEqual([3, -4, 12]);
  });
});
