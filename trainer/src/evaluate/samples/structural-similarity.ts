// Multi-scale structural similarity of pictures (Wang, Simoncelli & Bovik 2003) at one or two scales: as many as pictures
// of 28x28 have room for, with a window of 7 in place of 11.

export interface Picture {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** [height * width * channels], in [0, 1]. */
  readonly data: Float32Array;
}

export const WINDOW = 7;
/** Standard deviation of the window's weights, pixels. */
const SIGMA = 1.5;
/** (K1 L)^2 and (K2 L)^2 of the paper, for a range L of 1. */
const [C1, C2] = [0.01 ** 2, 0.03 ** 2];
/** Exponents of the first two of the paper's five scales; divided by their sum. */
const EXPONENTS = [0.0448, 0.2856];

/** 1 for equal pictures; the mean of the channels'. At least 7 pixels high and wide. */
export function multiScaleSimilarity(a: Picture, b: Picture): number {
  return meanOfChannels(a, b, ofPlanes);
}

/** The same at one scale (Wang, Bovik, Sheikh & Simoncelli 2004, eq. 13), from -1 to 1. */
export function structuralSimilarity(a: Picture, b: Picture): number {
  return meanOfChannels(a, b, (x, y) => similarity(x, y).whole);
}

function meanOfChannels(a: Picture, b: Picture, compare: (a: Plane, b: Plane) => number): number {
  let sum = 0;
  for (let channel = 0; channel < a.channels; channel++) sum += compare(plane(a, channel), plane(b, channel));
  return sum / a.channels;
}

type Plane = Omit<Picture, 'channels'>;

/** Contrast and structure at every scale, luminance at the last: eq. 7. Negative factors count as 0. */
function ofPlanes(a: Plane, b: Plane): number {
  const scales = Math.min(a.height, a.width) >= 2 * WINDOW ? 2 : 1;
  const total = EXPONENTS.slice(0, scales).reduce((sum, exponent) => sum + exponent, 0);
  let product = 1;
  let [x, y] = [a, b];
  for (let scale = 0; scale < scales; scale++) {
    const { whole, contrast } = similarity(x, y);
    const factor = scale === scales - 1 ? whole : contrast;
    product *= Math.max(0, factor) ** (EXPONENTS[scale]! / total);
    [x, y] = [halve(x), halve(y)];
  }
  return product;
}

/** Means over all places of the window within the plane: of luminance * contrast * structure, and without luminance. */
function similarity(a: Plane, b: Plane): { readonly whole: number; readonly contrast: number } {
  let [whole, contrast, places] = [0, 0, 0];
  for (let top = 0; top + WINDOW <= a.height; top++)
    for (let left = 0; left + WINDOW <= a.width; left++) {
      let [x, y, xx, yy, xy] = [0, 0, 0, 0, 0];
      for (let i = 0; i < WINDOW; i++)
        for (let j = 0; j < WINDOW; j++) {
          const at = (top + i) * a.width + left + j;
          const weight = weights[i]! * weights[j]!;
          const [p, q] = [a.data[at]!, b.data[at]!];
          x += weight * p;
          y += weight * q;
          xx += weight * p * p;
          yy += weight * q * q;
          xy += weight * p * q;
        }
      const structure = (2 * (xy - x * y) + C2) / (xx - x * x + (yy - y * y) + C2);
      whole += structure * ((2 * x * y + C1) / (x * x + y * y + C1));
      contrast += structure;
      places++;
    }
  return { whole: whole / places, contrast: contrast / places };
}

const weights = gaussianWindow();

function gaussianWindow(): readonly number[] {
  const heights = Array.from({ length: WINDOW }, (_, i) => Math.exp(-((i - (WINDOW - 1) / 2) ** 2) / (2 * SIGMA ** 2)));
  const total = heights.reduce((sum, each) => sum + each, 0);
  return heights.map(each => each / total);
}

/** Means of squares of 2x2 pixels; an odd last line is left out. */
function halve({ height, width, data }: Plane): Plane {
  const [rows, columns] = [Math.floor(height / 2), Math.floor(width / 2)];
  const half = new Float32Array(rows * columns);
  for (let i = 0; i < half.length; i++) {
    const at = 2 * Math.floor(i / columns) * width + 2 * (i % columns);
    half[i] = (data[at]! + data[at + 1]! + data[at + width]! + data[at + width + 1]!) / 4;
  }
  return { height: rows, width: columns, data: half };
}

function plane({ height, width, channels, data }: Picture, channel: number): Plane {
  const values = Float32Array.from({ length: height * width }, (_, i) => data[i * channels + channel]!);
  return { height, width, data: values };
}
