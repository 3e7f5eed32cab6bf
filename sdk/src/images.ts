// Samples as pictures of a page, and pictures as data. Rows are [count, height, width, channels] in [0, 1].
import {
  type FitOptions,
  fitImage,
  GenserveError,
  type Manifest,
  type Pixels,
  type Tensor,
  toGrid,
  toRgba,
} from '@genserve/runtime';

export interface SheetOptions {
  /** As near to a square as may be when absent. */
  readonly columns?: number;
  /** Pixels between pictures; 0 when absent. */
  readonly gap?: number;
  /** 0 (black, when absent) to 1. */
  readonly gapValue?: number;
}

/** All rows as one picture, for `putImageData`. In pages and workers. */
export function toImageData(rows: Tensor, options?: SheetOptions): ImageData {
  const sheet = toGrid(rows, options);
  return new ImageData(toRgba(sheet), sheet.width, sheet.height);
}

/** Draws all rows into a canvas at their own size: scale it with CSS and `image-rendering: pixelated`. */
export function toCanvas(
  rows: Tensor,
  options: SheetOptions & { readonly canvas?: HTMLCanvasElement | undefined } = {},
): HTMLCanvasElement {
  const image = toImageData(rows, options);
  const canvas = options.canvas ?? document.createElement('canvas');
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext('2d')?.putImageData(image, 0, 0);
  return canvas;
}

/** All rows as one encoded picture, PNG when no type is given. In pages and workers. */
export async function toBlob(rows: Tensor, options: SheetOptions & { readonly type?: string } = {}): Promise<Blob> {
  const image = toImageData(rows, options);
  const canvas = new OffscreenCanvas(image.width, image.height);
  canvas.getContext('2d')?.putImageData(image, 0, 0);
  return canvas.convertToBlob({ type: options.type ?? 'image/png' });
}

/**
 * One row [1, height, width, channels] of a model's domain from a decoded picture: an ImageData, or any pixels.
 * Throws INVALID_ARGUMENT where the size differs and no `fit` is given, OPERATION_UNSUPPORTED for other domains.
 */
export function fromPixels(
  picture: Pixels | Pick<ImageData, 'width' | 'height' | 'data'>,
  manifest: Manifest,
  options?: FitOptions,
): Tensor {
  const image = manifest.domain?.image;
  if (!image) throw new GenserveError('OPERATION_UNSUPPORTED', `${manifest.name} does not take pictures`);
  const { width, height, data } = picture;
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray || data instanceof Uint16Array)) {
    throw new GenserveError('INVALID_ARGUMENT', 'picture: must hold 8-bit values (colour space srgb)', {
      field: 'picture',
    });
  }
  const channels = 'channels' in picture ? picture.channels : 4;
  const row = fitImage({ width, height, channels, data }, image, options, 'picture');
  return { dtype: 'float32', shape: [1, image.height, image.width, image.channels], data: row };
}
