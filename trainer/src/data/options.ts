// How data are opened: the `data` section of a recipe, and `--set data.<key>=<value>`.
import { z } from 'zod';

export const binarisations = ['none', 'dynamic', 'threshold'] as const;
export type Binarisation = (typeof binarisations)[number];

const pixels = z.int().min(1).max(1024);

export const dataOptions = z.strictObject({
  /** Of the cut into train, calibration and test where the source has none: apart from the run's seed, so that runs compare. */
  seed: z.int().min(0).default(0),
  /** Rows held out of train for calibration where the source has none: a tenth, 5,000 at most, when absent. What calibration leaves over fits the densities of scores. */
  calibration: z.int().min(1).optional(),
  /** A class, by name or number, that train and calibration are to be without: what is then normal. Test keeps it. */
  without: z.union([z.string(), z.int().min(0)]).optional(),
  /** Images: 'dynamic' draws each pixel with its grey value as probability, anew at every step. */
  binarisation: z.enum(binarisations).default('none'),
  /** Images of folders and sheets: height and width in pixels, or [height, width]; the first image's when absent. */
  size: z.union([pixels, z.tuple([pixels, pixels])]).optional(),
  /** 1 grey, 3 colour; as found when absent. */
  channels: z.union([z.literal(1), z.literal(3)]).optional(),
  /** Training images: half of them mirrored. */
  flip: z.boolean().default(false),
  /** Training images: shifted by up to this many pixels to any side, the edge repeated. */
  crop: z.int().min(0).max(64).default(0),
  /** Training images: contrast and brightness changed by up to this share. */
  jitter: z.number().min(0).max(1).default(0),
  /** Training rows that keep their labels, as many of each class; all when absent. */
  labelled: z.int().min(1).optional(),
  /** Column of a CSV file that holds the class. */
  label: z.string().optional(),
  /** Rows to draw of a toy density. */
  rows: z.int().min(30).max(10_000_000).optional(),
  /** That sounds must have, Hz; the first file's when absent. */
  sampleRate: z.int().min(1).optional(),
  /** Length of a row of sound (samples) or text (symbols). */
  length: z.int().min(1).optional(),
});
export type DataOptions = z.infer<typeof dataOptions>;
/** As a caller writes them: every key may be absent. */
export type DataOptionsInput = z.input<typeof dataOptions>;
