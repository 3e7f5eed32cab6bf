// Encoded pictures from callers, turned into pixels with every limit checked before memory is spent on them.
import { GenserveError, invalid, type Pixels } from '@genserve/runtime';
import sharp from 'sharp';
import type { Limits } from '../options.js';

/**
 * Reads PNG, JPEG or WebP, turned as EXIF says, 8 bits per channel, transparency kept.
 * @throws INVALID_ARGUMENT naming `field` for another format, a damaged or truncated file, or more than the limits' pixels.
 */
export async function decodePicture(
  bytes: Uint8Array,
  { maxImagePixels, maxImageSide }: Pick<Limits, 'maxImagePixels' | 'maxImageSide'>,
  field: string,
): Promise<Pixels> {
  if (!isPicture(bytes)) throw invalid(field, 'must be a PNG, JPEG or WebP file');
  try {
    const picture = sharp(bytes, { limitInputPixels: maxImagePixels, failOn: 'warning', sequentialRead: true });
    const { space, width, height } = await picture.metadata();
    if (Math.max(width, height) > maxImageSide) {
      throw invalid(field, `must be at most ${maxImageSide} pixels wide and high, was ${width} x ${height}`);
    }
    const grey = space === 'b-w' || space === 'grey16';
    const { data, info } = await picture
      .autoOrient()
      .toColourspace(grey ? 'b-w' : 'srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, channels: info.channels, data };
  } catch (cause) {
    if (cause instanceof GenserveError) throw cause;
    const why = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw invalid(field, `cannot be read as a picture of at most ${maxImagePixels} pixels: ${why}`);
  }
}

/** By its first bytes: formats that libvips reads beside these (SVG, PDF, ...) can reach out of themselves. */
function isPicture(bytes: Uint8Array): boolean {
  const start = Buffer.from(bytes.subarray(0, 12)).toString('latin1');
  return (
    start.startsWith('\x89PNG\r\n\x1a\n') ||
    start.startsWith('\xff\xd8\xff') ||
    (start.startsWith('RIFF') && start.endsWith('WEBP'))
  );
}
