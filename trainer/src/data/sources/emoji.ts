// Emoji in two drawing styles, cut from the sheets of npm's emoji-datasource packages; classes are the categories. One style is a
// set, and so are the pairs of the two: Google's drawing and Twitter's of the same emoji.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { GenserveError, invalid } from '@genserve/runtime';
import sharp from 'sharp';
import { z } from 'zod';
import { assemble, count } from '../assemble.js';
import type { Dataset } from '../dataset.js';
import { sha256 } from '../hash.js';
import { imageDomain } from '../image-domain.js';
import type { DataOptions } from '../options.js';
import type { NamedSource } from '../source.js';
import { byteStore, paired, type Store } from '../store.js';

const styles = {
  google: { licence: 'Apache-2.0', attribution: 'Noto Emoji by Google' },
  twitter: { licence: 'CC-BY-4.0', attribution: 'Twemoji by Twitter, Inc and other contributors' },
};
export type EmojiStyle = keyof typeof styles;

const sizes = [16, 20, 32, 64];

/** The part of emoji.json that is read. */
const entry = z.object({
  name: z.string().nullable(),
  short_name: z.string(),
  unified: z.string(),
  category: z.string(),
  sheet_x: z.int(),
  sheet_y: z.int(),
  sort_order: z.int(),
  has_img_google: z.boolean(),
  has_img_twitter: z.boolean(),
});
type Entry = z.infer<typeof entry>;

const packageOf = (style: EmojiStyle) => `emoji-datasource-${style}`;

function folderOf(style: EmojiStyle): string | undefined {
  const require = createRequire(import.meta.url);
  try {
    return dirname(require.resolve(`${packageOf(style)}/package.json`));
  } catch {
    return undefined;
  }
}

interface Sheet {
  readonly list: string;
  readonly bytes: Buffer;
  /** In the order of the emoji keyboard. */
  readonly entries: readonly Entry[];
}

async function readSheet(folder: string, style: EmojiStyle, size: number): Promise<Sheet> {
  const list = await readFile(join(folder, 'emoji.json'), 'utf8');
  const entries = z
    .array(entry)
    .parse(JSON.parse(list))
    .filter(item => item[`has_img_${style}`])
    .sort((a, b) => a.sort_order - b.sort_order);
  return { list, bytes: await readFile(join(folder, 'img', style, 'sheets', `${size}.png`)), entries };
}

/** Signs that only say who does something, where to, or how it is drawn: man, woman, right, "as an emoji", "joined". */
const VARIATIONS = new Set(['2640', '2642', '27A1', 'FE0F', '200D']);
/** Men and women are persons, boys and girls are children. */
const PERSONS = new Map([
  ['1F468', '1F9D1'],
  ['1F469', '1F9D1'],
  ['1F466', '1F9D2'],
  ['1F467', '1F9D2'],
]);

/** What the variants of one emoji have in common: those that differ in sex or direction alone (skin tones are not read). */
function withoutVariation(unified: string): string {
  return unified
    .split('-')
    .filter(code => !VARIATIONS.has(code))
    .map(code => PERSONS.get(code) ?? code)
    .join('-');
}

/** A name for each emoji, the same for variants and for those that some style draws alike, e.g. the flags of Norway and Svalbard. */
async function variantGroups(codes: readonly string[], stores: readonly Store[]): Promise<string[]> {
  const pictures = await Promise.all(
    stores.map(async (store, style) => {
      const { data } = await store.read([...codes.keys()]);
      const size = data.length / codes.length;
      return codes.map(
        (_, row) => `${style}:${sha256(new Uint8Array(data.slice(row * size, (row + 1) * size).buffer))}`,
      );
    }),
  );
  // Each name points to one that it means the same as; the last on the way is the group's.
  const same = new Map<string, string>();
  const groupOf = (name: string): string => {
    const next = same.get(name);
    return next === undefined ? name : groupOf(next);
  };
  const bases = codes.map(withoutVariation);
  for (const [row, base] of bases.entries())
    for (const alike of pictures) {
      const [group, other] = [groupOf(base), groupOf(alike[row]!)];
      if (group !== other) same.set(other, group);
    }
  return bases.map(groupOf);
}

/** Pictures of `entries`, which know their places in this very sheet. */
async function cut(
  sheet: Buffer,
  entries: readonly Entry[],
  { size, channels, classes }: { size: number; channels: number; classes: readonly string[] },
): Promise<Store> {
  const { data, info } = await sharp(sheet, { limitInputPixels: false })
    .flatten({ background: 'white' })
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  const rowSize = size * size * channels;
  const bytes = new Uint8Array(entries.length * rowSize);
  // Each picture has a border of one pixel on every side.
  const pitch = size + 2;
  entries.forEach(({ sheet_x, sheet_y }, row) => {
    for (let y = 0; y < size; y++) {
      const from = ((sheet_y * pitch + 1 + y) * info.width + sheet_x * pitch + 1) * channels;
      bytes.set(data.subarray(from, from + size * channels), row * rowSize + y * size * channels);
    }
  });
  const labels = Int32Array.from(entries, ({ category }) => classes.indexOf(category));
  const names = entries.map(({ name, short_name }) => (name ?? short_name).toLowerCase());
  return byteStore(bytes, rowSize, labels, names);
}

/** `folders`: of one style or of both, rows being of the first and their targets of the second. */
export async function openEmoji(
  name: string,
  folders: readonly (readonly [EmojiStyle, string])[],
  options: DataOptions,
): Promise<Dataset> {
  const size = options.size ?? 32;
  if (typeof size !== 'number' || !sizes.includes(size))
    throw invalid('data.size', `${name} has ${sizes.join(', ')} pixels, not ${size}`);
  const channels = options.channels ?? 3;
  const sheets = await Promise.all(folders.map(([style, folder]) => readSheet(folder, style, size)));
  // The same emoji in all styles, in the order of the first.
  const byCode = sheets.map(({ entries }) => new Map(entries.map(item => [item.unified, item])));
  const codes = sheets[0]!.entries.map(({ unified }) => unified).filter(code => byCode.every(map => map.has(code)));
  const classes = [...new Set(codes.map(code => byCode[0]!.get(code)!.category))].sort();
  const stores: Store[] = [];
  for (const [index, { bytes }] of sheets.entries()) {
    const entries = codes.map(code => byCode[index]!.get(code)!);
    stores.push(await cut(bytes, entries, { size, channels, classes }));
  }
  const [data, targets] = stores;
  const domain = imageDomain({
    ...{ height: size, width: size, channels, labels: classes },
    ...{ binarisation: options.binarisation, polarity: 'dark-on-light' },
  });
  const what = `${channels === 1 ? 'grey' : 'colour'} images of ${size}x${size} in ${classes.length} classes`;
  const { licence, attribution } = joint(folders.map(([style]) => style));
  return assemble(
    {
      ...{ name, domain, licence, attribution },
      ...(targets && { target: domain }),
      train: targets ? paired(data!, targets) : data!,
      groups: await variantGroups(codes, stores),
      sha256: sha256(...sheets.flatMap(({ list, bytes }) => [list, bytes])),
      summary: `${count(codes.length)} ${targets ? 'pairs of ' : ''}${what}`,
    },
    options,
  );
}

const joint = (list: readonly EmojiStyle[]) => ({
  licence: list.map(style => styles[style].licence).join(' AND '),
  attribution: list.map(style => styles[style].attribution).join('; '),
});

function source(name: string, description: string, list: readonly EmojiStyle[]): NamedSource {
  const install = `npm install ${list.map(packageOf).join(' ')}`;
  return {
    name,
    description,
    ...{ licence: joint(list).licence, install },
    available: async () => list.every(style => folderOf(style) !== undefined),
    async open(options) {
      const folders = list.flatMap(style => {
        const folder = folderOf(style);
        return folder === undefined ? [] : [[style, folder] as const];
      });
      if (folders.length < list.length) {
        const message = `data: ${name} needs npm packages that are not installed: ${install}`;
        throw new GenserveError('ASSET_UNREACHABLE', message, { field: 'data' });
      }
      return openEmoji(name, folders, options);
    },
  };
}

const format = 'colour on white, 16, 20, 32 (default) or 64 pixels, by category';
export const emojis: readonly NamedSource[] = [
  source('emoji-google', `emoji drawn by Google, ${format}`, ['google']),
  source('emoji-twitter', `emoji drawn by Twitter, ${format}`, ['twitter']),
  source('emoji-pairs', `pairs: the same emoji by Google and by Twitter (the target), ${format}`, [
    'google',
    'twitter',
  ]),
];
