// On sheets made here, in the form of the emoji-datasource packages.
import { mkdtempSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dataOptions } from '../options.js';
import { type EmojiStyle, openEmoji } from './emoji.js';

const size = 16;
const count = 30;
/** Those of emoji 20 to 27: men and women at work, someone running and a man running, and who runs to the right. */
const variants = [
  '1F468-200D-1F33E',
  '1F469-200D-1F33E',
  '1F9D1-200D-1F33E',
  '1F468-200D-1F4BB',
  '1F469-200D-1F4BB',
  '1F3C3',
  '1F3C3-200D-2642-FE0F',
  '1F3C3-200D-27A1-FE0F',
];
const codeOf = (i: number) => variants[i - 20] ?? `1F6${i}`;
/** Emoji 29 is drawn as emoji 28 is. */
const drawnAs = (i: number) => (i === 29 ? 28 : i);
const folder = mkdtempSync(join(tmpdir(), 'genserve-emoji-'));
afterAll(() => rm(folder, { recursive: true }));

/** Emoji i is the colour (shade, i, i), but for the last, on a sheet where it stands at column i for Google and i + 1 for Twitter. */
async function makeStyle(style: EmojiStyle, shade: number, offset: number, missing: number): Promise<void> {
  const sheets = join(folder, style, 'img', style, 'sheets');
  await mkdir(sheets, { recursive: true });
  const pitch = size + 2;
  const [width, height] = [pitch * (count + 1), pitch];
  const pixels = Buffer.alloc(width * height * 4);
  for (let i = 0; i < count; i++)
    for (let y = 1; y <= size; y++)
      for (let x = 1; x <= size; x++) {
        pixels.set([shade, drawnAs(i), drawnAs(i), 255], (y * width + (i + offset) * pitch + x) * 4);
      }
  await sharp(pixels, { raw: { width, height, channels: 4 } })
    .png()
    .toFile(join(sheets, `${size}.png`));
  const list = Array.from({ length: count }, (_, i) => ({
    ...{ name: `FACE ${i}`, short_name: `face-${i}`, unified: codeOf(i), category: i % 2 ? 'Food' : 'Animals' },
    ...{ sheet_x: i + offset, sheet_y: 0, sort_order: count - i },
    ...{ has_img_google: style !== 'google' || i !== missing, has_img_twitter: style !== 'twitter' || i !== missing },
  }));
  await writeFile(join(folder, style, 'emoji.json'), JSON.stringify(list));
}

beforeAll(async () => {
  await makeStyle('google', 100, 0, 3);
  await makeStyle('twitter', 200, 1, 4);
});

const both = [
  ['google', join(folder, 'google')],
  ['twitter', join(folder, 'twitter')],
] as const;
const options = dataOptions.parse({ size });

describe('emoji', () => {
  it('of one style are cut from its sheet in the order of the keyboard, with category and name', async () => {
    const { all, domain } = await openEmoji('emoji-google', both.slice(0, 1), options);
    expect(all.count).toBe(count - 1);
    const { data, labels } = await all.read([0, 1]);
    expect([...data.slice(0, 3)].map(value => Math.round(255 * value))).toEqual([100, 28, 28]);
    expect(domain.image!.labels).toEqual(['Animals', 'Food']);
    expect([...labels!]).toEqual([1, 0]);
    expect(all.nameOf!(0)).toBe('face 29');
  });

  it('in pairs are the same emoji in both styles, in every part', async () => {
    const dataset = await openEmoji('emoji-pairs', both, options);
    expect(dataset.target).toEqual(dataset.domain);
    expect(dataset.all.count).toBe(count - 2);
    expect(dataset.summary).toContain('28 pairs of colour images of 16x16');
    expect(dataset.licence).toBe('Apache-2.0 AND CC-BY-4.0');
    for (const part of [dataset.train, dataset.calibration, dataset.test, dataset.all]) {
      const { data, target } = await part.read(Array.from({ length: part.count }, (_, i) => i));
      expect(target).toHaveLength(data.length);
      for (let i = 0; i < data.length; i += 3) {
        const [from, to] = [data, target!].map(values => [...values.subarray(i, i + 3)].map(v => Math.round(255 * v)));
        expect(from![0]).toBe(100);
        expect(to).toEqual([200, ...from!.slice(1)]);
      }
    }
  });

  it('and their variants come into one part: no face is tested that was trained on as another', async () => {
    const groups = [
      [20, 21, 22],
      [23, 24],
      [25, 26, 27],
      [28, 29],
    ];
    for (let seed = 0; seed < 20; seed++) {
      const { train, calibration, test } = await openEmoji('emoji-pairs', both, { ...options, seed });
      const parts = [train, calibration, test].map(part =>
        Array.from({ length: part.count }, (_, row) => Number(part.nameOf!(row).split(' ')[1])),
      );
      expect(parts.flat().sort((a, b) => a - b)).toHaveLength(count - 2);
      for (const group of groups) expect(parts.filter(part => group.some(each => part.includes(each)))).toHaveLength(1);
      // A part grows past its tenth by the group that fills it, no further.
      for (const part of parts.slice(1)) expect(part.length).toBeLessThan(2 + 3);
    }
  });

  it('come in the sizes of the sheets alone', async () => {
    await expect(openEmoji('emoji-pairs', both, { ...options, size: 30 })).rejects.toThrow(/16, 20, 32, 64 pixels/);
  });
});

describe('labels that are kept', () => {
  it('are as many of each class, on training rows alone, the same for a seed', async () => {
    const open = () => openEmoji('emoji-google', both.slice(0, 1), { ...options, labelled: 6 });
    const { train, test, split } = await open();
    const labelsOf = async ({ count: rows, read }: typeof train) => [
      ...(await read(Array.from({ length: rows }, (_, i) => i))).labels!,
    ];
    const kept = await labelsOf(train);
    expect([0, 1, -1].map(label => kept.filter(each => each === label).length)).toEqual([3, 3, train.count - 6]);
    expect(await labelsOf(test)).not.toContain(-1);
    expect(await labelsOf((await open()).train)).toEqual(kept);
    expect(split).toContain('(6 with labels)');
  });

  it('are one of each class at least', async () => {
    const few = openEmoji('emoji-google', both.slice(0, 1), { ...options, labelled: 1 });
    await expect(few).rejects.toMatchObject({ field: 'data.labelled' });
  });
});
