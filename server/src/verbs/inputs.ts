// Data rows of a message, given as a tensor or as encoded pictures, as the tensor [count, ...domain] that operations take.
import type { generator } from '@genserve/proto/wire';
import {
  domainShape,
  type FitOptions,
  fitImage,
  float32,
  GenserveError,
  invalid,
  type Manifest,
  type Tensor,
} from '@genserve/runtime';
import { decodePicture } from '../images/decode.js';
import type { Limits } from '../options.js';
import { readTensor } from './tensors.js';

export interface DataRows {
  readonly data: Tensor;
  readonly rows: number;
  /** What of the message holds them, for error messages. */
  readonly field: string;
}

/** @throws INVALID_ARGUMENT, OPERATION_UNSUPPORTED for pictures where the model takes none. */
export async function readInputs(
  wire: generator.Inputs | undefined,
  manifest: Manifest,
  limits: Limits,
  field = 'inputs',
): Promise<DataRows> {
  const { tensor, images = [], fit = '', invert = false } = wire ?? {};
  if ((tensor === undefined) === (images.length === 0)) {
    throw invalid(field, 'must be either a tensor or images');
  }
  if (tensor === undefined) {
    checkRows(images.length, limits, `${field}.images`);
    const options = { fit: readFit(fit, `${field}.fit`), invert };
    const data = await readPictures(images, manifest, options, limits, `${field}.images`);
    return { data, rows: images.length, field: `${field}.images` };
  }
  if (fit !== '') throw invalid(`${field}.fit`, 'is for images; a tensor has the shape of the domain');
  const data = readTensor(tensor, `${field}.tensor`);
  const rows = data.shape[0] ?? 0;
  checkRows(rows, limits, `${field}.tensor.shape`);
  return { data: invert ? inverted(data, manifest, `${field}.invert`) : data, rows, field: `${field}.tensor` };
}

function checkRows(rows: number, limits: Limits, field: string): void {
  if (rows > limits.maxCount) throw invalid(field, `must be at most ${limits.maxCount} rows, was ${rows}`);
}

async function readPictures(
  images: readonly Uint8Array[],
  manifest: Manifest,
  options: FitOptions,
  limits: Limits,
  field: string,
): Promise<Tensor> {
  const domain = manifest.domain?.image;
  if (domain === undefined) {
    throw new GenserveError('OPERATION_UNSUPPORTED', `${field}: ${manifest.name} is not a model of images`, { field });
  }
  const shape = domainShape(manifest.domain);
  const size = domain.height * domain.width * domain.channels;
  const data = new Float32Array(images.length * size);
  for (const [row, bytes] of images.entries()) {
    const place = `${field}[${row}]`;
    const pixels = await decodePicture(bytes, limits, place);
    data.set(fitImage(pixels, domain, options, place), row * size);
  }
  return float32([images.length, ...shape], data);
}

function readFit(fit: string, field: string): NonNullable<FitOptions['fit']> {
  if (fit === '' || fit === 'error') return 'error';
  if (fit === 'contain' || fit === 'cover') return fit;
  throw invalid(field, `must be error, contain or cover, was "${fit}"`);
}

function inverted(data: Tensor, manifest: Manifest, field: string): Tensor {
  if (manifest.domain?.image === undefined) throw invalid(field, 'is for images');
  return float32(
    data.shape,
    Float32Array.from(data.data, value => 1 - value),
  );
}
