import { readFile } from 'node:fs/promises';
import { findOperation, goldenFeeds, openBundle, type Tensors } from '@genserve/runtime';
import { expect, it } from 'vitest';
import { openOrt } from './onnxruntime.js';
import { widen, widenInto } from './widen.js';

const read = async (path: string) =>
  Uint8Array.from(await readFile(new URL(`../../../models/mnist-vae/1/${path}`, import.meta.url)));

it('widens every finite float16 exactly', () => {
  const halves = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i).filter(half => (half & 0x7c00) !== 0x7c00);
  const widened = new Float32Array(halves.length);
  widenInto(widened, halves);
  // IEEE 754: sign, 5 bits of exponent (0: subnormal), 10 of fraction.
  halves.forEach((half, i) => {
    const exponent = (half >> 10) & 31;
    const fraction = (half & 1023) / 1024;
    const size = exponent === 0 ? 2 ** -14 * fraction : 2 ** (exponent - 15) * (1 + fraction);
    expect(widened[i]).toBe(half >> 15 ? -size : size);
  });
  expect(halves).toHaveLength(63_488);
});

it("gives, bit for bit, what onnxruntime's Cast makes of the variant", async () => {
  const bundle = await openBundle({ read });
  const half = await bundle.graph('reconstruct', { variant: 'float16' });
  const wide = widen(half.whole!, half);
  expect(wide.externalData[0]!.data.length).toBe((await read('weights.bin')).length);
  const ort = await openOrt({ backend: 'wasm', assets: {}, threads: 1 });
  const feeds = goldenFeeds(bundle.manifest, findOperation(bundle.manifest, 'reconstruct'), 1, 2);
  const outputs: Tensors[] = [];
  for (const { model, externalData } of [half, wide])
    outputs.push(await (await ort.create({ model, externalData })).run(feeds));
  expect(outputs[0]).toEqual(outputs[1]);
});
